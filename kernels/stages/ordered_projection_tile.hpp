// The inner loop of ordered_projection.cpp, which includes this file once for each generation of
// processors, with the words below defined for it and its instructions switched on:
//   SWITCHYARD_TILE        name of the function to define
//   SWITCHYARD_VECTOR      a vector of floats, of
//   SWITCHYARD_LANES       lanes (a divisor of 32)
//   SWITCHYARD_LOAD(p), SWITCHYARD_STORE(p, v), SWITCHYARD_FMA(a, b, c)
// No include guard, on purpose.

/// Adds the products of coordinates [first, last), a multiple of 32 of them, of four rows and two
/// rows of the gate to their lane sums.
inline void SWITCHYARD_TILE(const float* const* rows,
                            const float* const* gates,
                            std::size_t first,
                            std::size_t last,
                            float* const* sums) {
  for (std::size_t lane = 0; lane < kLanes; lane += SWITCHYARD_LANES) {
    SWITCHYARD_VECTOR of_first[kProjectedRows];
    SWITCHYARD_VECTOR of_second[kProjectedRows];
    for (std::size_t row = 0; row < kProjectedRows; ++row) {
      of_first[row] = SWITCHYARD_LOAD(sums[0] + row * kLanes + lane);
      of_second[row] = SWITCHYARD_LOAD(sums[1] + row * kLanes + lane);
    }
    for (std::size_t at = first + lane; at < last; at += kLanes) {
      const SWITCHYARD_VECTOR one = SWITCHYARD_LOAD(gates[0] + at);
      const SWITCHYARD_VECTOR other = SWITCHYARD_LOAD(gates[1] + at);
      for (std::size_t row = 0; row < kProjectedRows; ++row) {
        const SWITCHYARD_VECTOR value = SWITCHYARD_LOAD(rows[row] + at);
        of_first[row] = SWITCHYARD_FMA(value, one, of_first[row]);
        of_second[row] = SWITCHYARD_FMA(value, other, of_second[row]);
      }
    }
    for (std::size_t row = 0; row < kProjectedRows; ++row) {
      SWITCHYARD_STORE(sums[0] + row * kLanes + lane, of_first[row]);
      SWITCHYARD_STORE(sums[1] + row * kLanes + lane, of_second[row]);
    }
  }
}

// Mean of each row of a table by the rule "sums" of router_math.cuh, over the values or their
// magnitudes.
#pragma once

#include <cstdint>

namespace switchyard {

/// Kernel arguments; device pointers.
struct RowSumArguments {
  const float* values = nullptr;  ///< [rows, columns] row-major
  float* sums = nullptr;          ///< [rows] out
  std::int32_t rows = 0;
  std::int32_t columns = 0;  ///< up to kRowSumMaxColumns
  float divisor = 1.0F;      ///< of each sum
  bool is_absolute = false;  ///< sum of |value|
};

inline constexpr std::int32_t kRowSumWarps = 4;  ///< of a block, each with one row
inline constexpr std::int32_t kRowSumMaxColumns = 128 * 32 * 32;

}  // namespace switchyard

// Kernels of mixture of depths in a sparse layer.
#include "kernels/device/row_router.cuh"

namespace switchyard {

struct MixtureOfDepths : RowPolicy {
  static SWITCHYARD_DEVICE bool is_alive(const RowArguments& arguments, const RowToken& row) {
    return is_taken(*arguments.token_threshold, arguments.token_scores[row.token], row.token);
  }

  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& row,
                                       std::int32_t /*expert*/,
                                       float logit) {
    return is_alive(arguments, row) ? logit : float_of_bits(kNotANumberBits);
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& arguments,
                                       const RowToken& row,
                                       RowChoice& /*choice*/) {
    if (row.exists && row.lane == 0) {
      arguments.alive[row.token] = is_alive(arguments, row) ? 1 : 0;
    }
  }
};

SWITCHYARD_ROW_ROUTER(mixture_of_depths, MixtureOfDepths)

}  // namespace switchyard

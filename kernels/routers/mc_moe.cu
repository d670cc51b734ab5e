// Kernels of MC-MoE's pruning.
#include "kernels/device/row_router.cuh"

namespace switchyard {

struct McMoE : RowPolicy {
  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& arguments,
                                       const RowToken& row,
                                       RowChoice& choice) {
    const float first = __shfl_sync(kFullWarp, choice.weight, 0, row.lanes);
    const bool is_protected =
        row.exists &&
        is_taken(*arguments.token_threshold, arguments.token_scores[row.token], row.token);
    drop_second(
        row, !is_protected && choice.weight < multiply_rounded(arguments.threshold, first), choice);
  }
};

SWITCHYARD_ROW_ROUTER(mc_moe, McMoE)

}  // namespace switchyard

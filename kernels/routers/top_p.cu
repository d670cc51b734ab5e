// Kernels of the top-p router.
#include "kernels/device/row_router.cuh"

namespace switchyard {

struct TopP : RowPolicy {
  static constexpr bool kUsesSoftmax = true;

  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& /*arguments*/,
                                       const RowToken& row,
                                       const RowChoice& choice) {
    return row.logits.probability(choice.score);
  }

  /// Keeps the slots before which the probabilities, added in slot order, do not reach p.
  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& arguments,
                                       const RowToken& row,
                                       RowChoice& choice) {
    float before = 0.0F;
    for (int slot = 0; slot + 1 < arguments.slots; ++slot) {
      const float weight = __shfl_sync(kFullWarp, choice.weight, slot, row.lanes);
      before = slot < row.lane ? add_rounded(before, weight) : before;
    }
    if (row.lane > 0 && before >= arguments.threshold) {
      choice.is_chosen = false;
      choice.weight = 0.0F;
    }
    if (arguments.is_renormalised) {
      normalise_choices<kSlotTier>(row, choice);
    }
  }
};

SWITCHYARD_ROW_ROUTER(top_p, TopP)

}  // namespace switchyard

// Kernels of AdapMoE's gating.
#include "kernels/device/row_router.cuh"

namespace switchyard {

struct AdapMoE : RowPolicy {
  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& arguments,
                                       const RowToken& row,
                                       RowChoice& choice) {
    drop_second(row, choice.weight < arguments.threshold, choice);
  }
};

SWITCHYARD_ROW_ROUTER(adapmoe, AdapMoE)

}  // namespace switchyard

// The dispatch-layout kernels.
#include "kernels/device/dispatch_layout.cuh"
#include "kernels/device/kernel.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_layout_count, LayoutArguments, kLayoutThreads) {
  count_of_block<kLayoutWarps>(arguments);
}

SWITCHYARD_KERNEL(switchyard_layout_place, LayoutArguments, kLayoutThreads) {
  place_of_block<kLayoutWarps, kLayoutMaxExperts>(arguments);
}

}  // namespace switchyard

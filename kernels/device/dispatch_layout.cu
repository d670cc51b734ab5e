// The dispatch-layout kernels and their launcher.
#include "kernels/device/cuda_check.cuh"
#include "kernels/device/dispatch_layout.cuh"

namespace switchyard {

extern "C" __global__ void __launch_bounds__(kLayoutThreads)
    switchyard_layout_count(const LayoutArguments arguments) {
  count_of_block(arguments);
}

extern "C" __global__ void __launch_bounds__(kLayoutThreads)
    switchyard_layout_place(const LayoutArguments arguments) {
  place_of_block(arguments);
}

void launch_dispatch_layout(const LayoutArguments& arguments) {
  const std::int32_t chunks = layout_chunks(arguments);
  if (chunks == 0) {
    return;
  }
  switchyard_layout_count<<<static_cast<unsigned>(chunks), kLayoutThreads>>>(arguments);
  SWITCHYARD_CUDA(cudaGetLastError());
  switchyard_layout_place<<<static_cast<unsigned>(chunks), kLayoutThreads>>>(arguments);
  SWITCHYARD_CUDA(cudaGetLastError());
}

}  // namespace switchyard

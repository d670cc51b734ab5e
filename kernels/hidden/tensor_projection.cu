// The projection kernel on tensor cores.
#include "kernels/device/kernel.cuh"
#include "kernels/hidden/tensor_projection.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_project_bf16, TensorArguments, kTensorThreads) {
  tensor_project_of_block(arguments);
}

}  // namespace switchyard

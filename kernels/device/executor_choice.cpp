#include "kernels/device/executor_choice.hpp"

#include <array>

#include "kernels/device/cuda_device.hpp"

namespace switchyard {

Executor read_executor(Parameters& parameters) {
  static constexpr std::array<std::string_view, 3> kChoices{"cpu", "cuda", "auto"};
  const std::string choice =
      parameters.get_choice("executor",
                            "cpu",
                            kChoices,
                            "where to compute; the result is the same to the last bit: cpu, cuda, "
                            "or auto (the GPU if there is one)");
  if (choice == "cuda") {
    require_cuda_device();
    return Executor::Cuda;
  }
  const bool has_gpu = choice == "auto" && cuda_device().is_usable;
  return has_gpu ? Executor::Auto : Executor::Cpu;
}

}  // namespace switchyard

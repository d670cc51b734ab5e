#include "kernels/device/executor_choice.hpp"

#include <array>

#include <fmt/core.h>

#include "kernels/device/device.hpp"

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
    current_device();  // says why, if there is none
    return Executor::Cuda;
  }
  return choice == "auto" && has_device() ? Executor::Auto : Executor::Cpu;
}

bool takes_gpu(Executor executor, std::size_t experts, std::size_t slots, const KernelRoom& room) {
  const bool has_room = experts <= room.experts && slots <= room.slots;
  if (executor == Executor::Cuda && !has_room) {
    throw MissingCapability(
        fmt::format("the router's kernels serve up to {} experts and {} choices, not {} and {}",
                    room.experts,
                    room.slots,
                    experts,
                    slots),
        {},
        "choose the CPU executor");
  }
  return executor != Executor::Cpu && has_room;
}

}  // namespace switchyard

#include "tests/emulation/routers/top_k_runs.hpp"

#include "kernels/device/top_k_on_device.hpp"

namespace switchyard {
namespace {

std::size_t choices_of(const TopKCase& test) {
  return static_cast<std::size_t>(test.shape.tokens) * static_cast<std::size_t>(test.shape.slots);
}

}  // namespace

TopKOnDevice::TopKOnDevice(KernelDevice& device, const TopKCase& test, const LogitBuffer& logits)
    : device_(device),
      test_(test),
      rows_(device, logits.words),
      ids_(device, choices_of(test)),
      weights_(device, choices_of(test)) {}

void TopKOnDevice::launch() {
  launch_top_k(device_,
               test_.shape,
               {.logits = rows_.address(),
                .expert_ids = ids_.address(),
                .gate_weights = weights_.address(),
                .scale = test_.scale,
                .is_renormalised = test_.is_renormalised});
}

TopKResult TopKOnDevice::result() const {
  return {.expert_ids = ids_.values(), .gate_weights = weights_.values()};
}

TopKResult run_top_k(KernelDevice& device, const TopKCase& test, const LogitBuffer& logits) {
  TopKOnDevice on_device(device, test, logits);
  on_device.launch();
  return on_device.result();
}

TopKResult emulated_top_k(const TopKCase& test,
                          const LogitBuffer& logits,
                          const EmulationOptions& options) {
  EmulatedDevice device(options);
  return run_top_k(device, test, logits);
}

}  // namespace switchyard

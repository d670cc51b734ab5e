// The host side of the routers of kernels/device/row_router.hpp: logits in, one launch or several,
// choices out.
#pragma once

#include <string_view>

#include "core/matrix.hpp"
#include "kernels/device/device_array.hpp"
#include "kernels/device/executor_choice.hpp"
#include "kernels/device/row_router.hpp"
#include "kernels/router.hpp"

namespace switchyard {

inline constexpr KernelRoom kRowRoom{.experts = kRowMaxExperts, .slots = kRowMaxSlots};

/// The tokens of one route() in the memory of the current device.
class RowsOnDevice {
 public:
  /// `logits` is [tokens, experts], within kRowRoom. Throws MissingCapability without a usable GPU
  /// or without enough GPU memory.
  RowsOnDevice(MatrixView<const float> logits, std::size_t slots);

  [[nodiscard]] KernelDevice& device() { return device_; }

  /// What every router needs filled in; parameters are the caller's to add.
  [[nodiscard]] RowArguments arguments() const;

  /// Starts the kernel that `router`.cu defines for this size.
  void route(std::string_view router, RowArguments arguments);

  [[nodiscard]] RoutingDecision decision() const;

 private:
  KernelDevice& device_;
  std::size_t tokens_;
  std::size_t experts_;
  std::size_t slots_;
  DeviceArray<float> logits_;
  DeviceArray<std::int32_t> ids_;
  DeviceArray<float> weights_;
};

}  // namespace switchyard

// The layout of kernels/stages/dispatch_layout.hpp on a device.
#pragma once

#include <optional>

#include "kernels/device/device_array.hpp"
#include "kernels/device/dispatch_layout_launch.hpp"
#include "kernels/stages/dispatch_layout.hpp"

namespace switchyard {

/// The results of a layout in device memory.
class DeviceLayout {
 public:
  /// Of `request` only the sizes and the experts' ranks are read. `chunk_tokens` changes the launch
  /// plan, no result; 0 picks one. Throws MissingCapability if the kernels have no room.
  DeviceLayout(KernelDevice& device, const LayoutRequest& request, std::int32_t chunk_tokens = 0);

  /// `expert_ids` is [tokens, slots] in device memory. Two launches.
  void launch(const std::int32_t* expert_ids);

  [[nodiscard]] const LayoutArguments& arguments() const { return arguments_; }

  [[nodiscard]] DispatchLayout download() const;

 private:
  KernelDevice& device_;
  std::size_t tokens_;
  std::size_t slots_;
  DeviceArray<std::int32_t> ranks_of_experts_;
  DeviceArray<std::int32_t> load_;
  DeviceArray<std::int32_t> offsets_;
  DeviceArray<std::int32_t> positions_;
  DeviceArray<std::int32_t> rows_;
  DeviceArray<std::int32_t> sources_;
  DeviceArray<std::uint8_t> first_copies_;
  DeviceArray<std::int32_t> rank_tokens_;
  DeviceArray<std::int32_t> node_tokens_;
  DeviceArray<std::uint32_t> arrivals_;
  std::optional<DeviceArray<std::int32_t>> chunk_counts_;
  LayoutArguments arguments_;
};

/// The same numbers as dispatch_layout(), from the current device. Throws InvalidInput as that
/// does, MissingCapability without a usable GPU or where the kernels have no room.
DispatchLayout dispatch_layout_on_device(const LayoutRequest& request,
                                         std::int32_t chunk_tokens = 0);

}  // namespace switchyard

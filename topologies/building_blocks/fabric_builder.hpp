// Puts a fabric's parts together: numbers devices, names links after their ends.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "topologies/fabric.hpp"

namespace switchyard {

/// What one direction of a cable is like.
struct Cable {
  BytesPerSecond bandwidth;
  Seconds latency{0};
  double efficiency = 1;
  std::int32_t cost = 1;
};

class FabricBuilder {
 public:
  FabricBuilder() = default;
  /// Goes on from parts that exist.
  explicit FabricBuilder(Fabric::Parts parts);

  /// Throws InvalidInput if the name is taken or there are too many devices.
  DeviceId add_device(std::string name, DeviceKind kind, NodeId node = {});

  /// One link, called "from->to", with "#2", "#3" ... appended to further ones between the same
  /// devices; `name` overrides that.
  LinkId connect_one_way(DeviceId from, DeviceId to, const Cable& cable, std::string name = {});

  /// A full-duplex cable: a link each way, both as `cable` says.
  void connect(DeviceId one, DeviceId other, const Cable& cable);

  /// A half-duplex cable: both directions share one rate. Three links in a row (onto the medium,
  /// over it, off it), the middle one common to both directions.
  void connect_half_duplex(DeviceId one, DeviceId other, const Cable& cable);

  [[nodiscard]] const Fabric::Parts& parts() const { return parts_; }

  [[nodiscard]] Fabric::Parts& parts() { return parts_; }

  [[nodiscard]] Fabric::Parts take() { return std::move(parts_); }

  /// Invalid if there is none.
  [[nodiscard]] DeviceId find_device(std::string_view name) const;

  /// Beyond these a file is a slip of the keyboard, not a machine.
  static constexpr std::size_t kMostDevices = 500'000;
  static constexpr std::size_t kMostLinks = 2'000'000;

 private:
  Fabric::Parts parts_;
  std::unordered_map<std::string, DeviceId> device_by_name_;
  std::map<std::pair<DeviceId, DeviceId>, int> cables_;  // links so far between two devices
};

}  // namespace switchyard

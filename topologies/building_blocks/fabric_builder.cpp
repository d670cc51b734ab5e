#include "topologies/building_blocks/fabric_builder.hpp"

#include <fmt/format.h>

namespace switchyard {

FabricBuilder::FabricBuilder(Fabric::Parts parts) : parts_(std::move(parts)) {
  for (std::size_t i = 0; i < parts_.devices.size(); ++i) {
    device_by_name_.emplace(parts_.devices[i].name, DeviceId{i});
  }
  for (const Link& link : parts_.links) {
    ++cables_[{link.from, link.to}];
  }
}

DeviceId FabricBuilder::add_device(std::string name, DeviceKind kind, NodeId node) {
  if (parts_.devices.size() >= kMostDevices) {
    throw InvalidInput(fmt::format("over {} devices are not a possible fabric", kMostDevices));
  }
  const DeviceId id{parts_.devices.size()};
  if (!device_by_name_.emplace(name, id).second) {
    throw InvalidInput(fmt::format("two devices are called \"{}\"", name));
  }
  parts_.devices.push_back({.name = std::move(name), .kind = kind, .node = node});
  return id;
}

LinkId FabricBuilder::connect_one_way(DeviceId from,
                                      DeviceId to,
                                      const Cable& cable,
                                      std::string name) {
  if (parts_.links.size() >= kMostLinks) {
    throw InvalidInput(fmt::format("over {} links are not a possible fabric", kMostLinks));
  }
  const int number = ++cables_[{from, to}];
  if (name.empty()) {
    name = fmt::format("{}->{}{}",
                       parts_.devices[from.index()].name,
                       parts_.devices[to.index()].name,
                       number == 1 ? "" : fmt::format("#{}", number));
  }
  parts_.links.push_back({.name = std::move(name),
                          .from = from,
                          .to = to,
                          .bandwidth = cable.bandwidth,
                          .latency = cable.latency,
                          .efficiency = cable.efficiency,
                          .cost = cable.cost});
  return LinkId{parts_.links.size() - 1};
}

void FabricBuilder::connect(DeviceId one, DeviceId other, const Cable& cable) {
  connect_one_way(one, other, cable);
  connect_one_way(other, one, cable);
}

void FabricBuilder::connect_half_duplex(DeviceId one, DeviceId other, const Cable& cable) {
  const std::string medium =
      parts_.devices[one.index()].name + "--" + parts_.devices[other.index()].name;
  const NodeId node = parts_.devices[one.index()].node == parts_.devices[other.index()].node
                          ? parts_.devices[one.index()].node
                          : NodeId{};
  const DeviceId on = add_device(medium + ".on", DeviceKind::Switch, node);
  const DeviceId off = add_device(medium + ".off", DeviceKind::Switch, node);
  // The ways on and off never are the bottleneck: all they carry crosses the medium too.
  const Cable door{.bandwidth = cable.bandwidth, .latency = {}, .efficiency = cable.efficiency};
  for (const DeviceId end : {one, other}) {
    connect_one_way(end, on, door);
    connect_one_way(off, end, door);
  }
  connect_one_way(on, off, cable);
}

DeviceId FabricBuilder::find_device(std::string_view name) const {
  const auto found = device_by_name_.find(std::string(name));
  return found == device_by_name_.end() ? DeviceId{} : found->second;
}

}  // namespace switchyard

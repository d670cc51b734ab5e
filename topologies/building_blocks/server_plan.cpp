#include "topologies/building_blocks/server_plan.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace switchyard {
namespace {

std::vector<std::string_view> accelerator_choices() {
  std::vector<std::string_view> choices{"auto"};
  for (const Accelerator& accelerator : accelerators()) {
    choices.push_back(accelerator.name);
  }
  return choices;
}

}  // namespace

ServerFleet::ServerFleet(Parameters& parameters)
    : nodes_(parameters.get_integer("nodes", 1, {1, 8192}, "servers like the one in the file")),
      nodes_per_group_(parameters.get_integer(
          "nodes_per_group", 32, {1, 8192}, "servers that share a set of leaf switches")),
      accelerator_(find_accelerator(
          parameters.get_choice("accelerator",
                                "auto",
                                accelerator_choices(),
                                "GPU model, for speeds that the file leaves out"))),
      link_rate_(parameters.get_bandwidth(
          "link", BytesPerSecond{}, "rate of one NVLink or xGMI link each way; 0bps = data sheet")),
      nic_rate_(parameters.get_bandwidth(
          "nic", BytesPerSecond{}, "port rate of every NIC; 0bps = the file's, else data sheet")),
      link_latency_(
          parameters.get_duration("link_latency", Seconds{250e-9}, "of an NVLink or xGMI hop")),
      pcie_latency_(parameters.get_duration("pcie_latency", Seconds{250e-9}, "of a PCIe hop")),
      nic_latency_(parameters.get_duration(
          "nic_latency", Seconds{500e-9}, "NIC to the first switch, with the cable")),
      upper_(parameters) {}

Cable ServerFleet::scale_up_cable(const Accelerator& accelerator, std::int32_t links) const {
  const BytesPerSecond rate = link_rate_.value > 0 ? link_rate_ : accelerator.link_rate;
  return {.bandwidth = rate * links, .latency = link_latency_};
}

Cable ServerFleet::pcie_cable(BytesPerSecond rate, std::int32_t hops) const {
  return {.bandwidth = rate, .latency = pcie_latency_, .efficiency = 1, .cost = hops};
}

Fabric ServerFleet::build(ServerPlan plan,
                          const Accelerator& accelerator,
                          const Location& where) const {
  for (ServerPlan::Port& port : plan.ports) {
    if (nic_rate_.value > 0) {
      port.rate = nic_rate_;
    } else if (port.rate.value <= 0) {
      port.rate = accelerator.nic;
      plan.assumptions.insert(fmt::format(
          "NIC ports of {}, usual beside {}", format_quantity(port.rate), accelerator.name));
    }
  }
  if (nodes_ > 1 && plan.ports.empty()) {
    throw InvalidInput(fmt::format("{} servers cannot be joined: the file shows no NIC", nodes_),
                       where);
  }
  FabricBuilder builder;
  std::vector<std::vector<NicPort>> ports;  // [nodes][NICs of a server]
  for (std::int64_t node = 0; node < nodes_; ++node) {
    const std::size_t first = builder.parts().devices.size();
    const auto device = [&](std::size_t part) { return DeviceId{first + part}; };
    for (const ServerPlan::Part& part : plan.parts) {
      builder.add_device(fmt::format("node{}.{}", node, part.name),
                         part.kind,
                         NodeId{static_cast<std::size_t>(node)});
    }
    for (const ServerPlan::Wire& wire : plan.wires) {
      builder.connect(device(wire.one), device(wire.other), wire.cable);
    }
    std::vector<NicPort>& own = ports.emplace_back();
    for (const ServerPlan::Port& port : plan.ports) {
      own.push_back({device(port.part), {.bandwidth = port.rate, .latency = nic_latency_}});
    }
  }
  if (nodes_ > 1) {
    plan.assumptions.insert("a rail-optimised network between servers, from parameters");
    upper_.add_to(builder, rail_leaves(ports, static_cast<std::size_t>(nodes_per_group_)));
  }
  plan.assumptions.insert("all latencies, from parameters");
  Fabric::Parts parts = builder.take();
  const std::string file = std::filesystem::path(where.file).filename().string();
  parts.name = fmt::format("{} x {}", nodes_, file);
  parts.source =
      fmt::format("uncalibrated: data-sheet rates. Read from {}. Not in the file:", file);
  for (const std::string& assumption : plan.assumptions) {
    parts.source += " " + assumption + ";";
  }
  parts.source.back() = '.';
  return Fabric(std::move(parts), where);
}

}  // namespace switchyard

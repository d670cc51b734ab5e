#include "topologies/building_blocks/node_parts.hpp"

#include <fmt/format.h>

namespace switchyard {

NodeParts::NodeParts(Parameters& parameters)
    : gpus_per_node_(
          parameters.get_integer("gpus_per_node", 8, {1, 1024}, "GPUs of one NVLink domain")),
      nics_per_gpu_(parameters.get_integer("nics_per_gpu", 1, {1, 16}, "NICs beside each GPU")),
      nvlink_{.bandwidth = parameters.get_bandwidth(
                  "nvlink", BytesPerSecond{450e9}, "NVLink rate of a GPU, each direction"),
              .latency = parameters.get_duration(
                  "nvlink_latency", Seconds{250e-9}, "GPU to NVSwitch; a path has two")},
      pcie_{.bandwidth = parameters.get_bandwidth(
                "pcie", BytesPerSecond{64e9}, "PCIe rate of GPU to NIC, each direction"),
            .latency = parameters.get_duration("pcie_latency", Seconds{500e-9}, "GPU to NIC")},
      nic_{.bandwidth = parameters.get_bandwidth("nic", BytesPerSecond{50e9}, "port rate of a NIC"),
           .latency = parameters.get_duration(
               "nic_latency", Seconds{500e-9}, "NIC to the first switch, with the cable")} {}

NodeParts::Node NodeParts::add_to(FabricBuilder& builder, std::int64_t number) const {
  const NodeId id{static_cast<std::size_t>(number)};
  Node node;
  for (std::int64_t i = 0; i < gpus_per_node_; ++i) {
    node.gpus.push_back(
        builder.add_device(fmt::format("node{}.gpu{}", number, i), DeviceKind::Gpu, id));
  }
  const DeviceId nvswitch =
      builder.add_device(fmt::format("node{}.nvswitch", number), DeviceKind::Switch, id);
  for (std::int64_t i = 0; i < gpus_per_node_; ++i) {
    const DeviceId gpu = node.gpus[static_cast<std::size_t>(i)];
    builder.connect(gpu, nvswitch, nvlink_);
    for (std::int64_t j = 0; j < nics_per_gpu_; ++j) {
      const DeviceId nic = builder.add_device(
          fmt::format("node{}.nic{}", number, i * nics_per_gpu_ + j), DeviceKind::Nic, id);
      builder.connect(gpu, nic, pcie_);
      node.ports.push_back({nic, nic_});
    }
  }
  return node;
}

}  // namespace switchyard

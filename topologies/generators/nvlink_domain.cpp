// Racks whose GPUs are all on one NVLink network, such as GB200 NVL72. A rack is one node; its
// GPUs sit in trays, and where there are several racks, the NICs of equal position in their tray
// share a rail.
//
//   rack 0                                   rack 1
//   tray0: gpu0 gpu1 gpu2 gpu3 ----+         tray0: gpu0 ... ----+
//   tray1: gpu4 gpu5 gpu6 gpu7 ----+         ...                 |
//   ...                            |                             |
//   tray17: gpu68 ... gpu71 -------+         nvswitch -----------+
//             |                  nvswitch    (stands for the 18 NVSwitches that GPUs stripe over)
//            nic (one rail per position in the tray, only if there are several racks)
//             |
//           leaf0 ... leaf3 --- every leaf to every spine
#include <fmt/format.h>

#include "topologies/building_blocks/leaf_spine.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class NvlinkDomain final : public TopologyGenerator {
 public:
  explicit NvlinkDomain(Parameters& parameters)
      : domains_(parameters.get_integer("domains", 1, {1, 1024}, "racks; each is one node")),
        trays_(parameters.get_integer("trays", 18, {1, 1024}, "compute trays in a rack")),
        gpus_per_tray_(parameters.get_integer("gpus_per_tray", 4, {1, 64}, "GPUs of a tray")),
        nvlink_{.bandwidth = parameters.get_bandwidth(
                    "nvlink", BytesPerSecond{900e9}, "NVLink rate of a GPU, each direction"),
                .latency = parameters.get_duration(
                    "nvlink_latency", Seconds{250e-9}, "GPU to NVSwitch; a path has two")},
        pcie_{.bandwidth = parameters.get_bandwidth(
                  "pcie", BytesPerSecond{64e9}, "PCIe rate of GPU to NIC, each direction"),
              .latency = parameters.get_duration("pcie_latency", Seconds{500e-9}, "GPU to NIC")},
        nic_{.bandwidth =
                 parameters.get_bandwidth("nic", BytesPerSecond{50e9}, "port rate of a NIC"),
             .latency = parameters.get_duration(
                 "nic_latency", Seconds{500e-9}, "NIC to the first switch, with the cable")},
        upper_(parameters) {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    std::vector<LeafPlan> leaves;
    for (std::int64_t rail = 0; rail < gpus_per_tray_ && domains_ > 1; ++rail) {
      leaves.push_back({fmt::format("leaf{}", rail), {}});
    }
    for (std::int64_t domain = 0; domain < domains_; ++domain) {
      add_domain(builder, domain, leaves);
    }
    if (!leaves.empty()) {
      upper_.add_to(builder, leaves);
    }
    return builder.take();
  }

 private:
  void add_domain(FabricBuilder& builder,
                  std::int64_t domain,
                  std::vector<LeafPlan>& leaves) const {
    const NodeId node{static_cast<std::size_t>(domain)};
    const DeviceId nvswitch =
        builder.add_device(fmt::format("node{}.nvswitch", domain), DeviceKind::Switch, node);
    for (std::int64_t i = 0; i < trays_ * gpus_per_tray_; ++i) {
      const DeviceId gpu =
          builder.add_device(fmt::format("node{}.gpu{}", domain, i), DeviceKind::Gpu, node);
      builder.connect(gpu, nvswitch, nvlink_);
      if (leaves.empty()) {
        continue;
      }
      const DeviceId nic =
          builder.add_device(fmt::format("node{}.nic{}", domain, i), DeviceKind::Nic, node);
      builder.connect(gpu, nic, pcie_);
      leaves[static_cast<std::size_t>(i % gpus_per_tray_)].ports.push_back({nic, nic_});
    }
  }

  std::int64_t domains_;
  std::int64_t trays_;
  std::int64_t gpus_per_tray_;
  Cable nvlink_;
  Cable pcie_;
  Cable nic_;
  LeafSpine upper_;
};

const Register<TopologyGenerator, NvlinkDomain> kNvlinkDomain{
    "nvlink_domain", "racks of one NVLink domain each, such as GB200 NVL72"};

}  // namespace
}  // namespace switchyard

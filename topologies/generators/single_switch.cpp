// GPUs on one switch: the fabric of closed forms, and of a lone NVSwitch node.
//
//   gpu0   gpu1   gpu2  ...  gpuN-1
//     \      |      |         /
//      +-----+--switch-------+        every line is a full-duplex link of the same rate
#include <fmt/format.h>

#include "topologies/building_blocks/fabric_builder.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class SingleSwitch final : public TopologyGenerator {
 public:
  explicit SingleSwitch(Parameters& parameters)
      : gpus_(parameters.get_integer("gpus", 8, {1, 65536}, "GPUs on the switch")),
        gpus_per_node_(parameters.get_integer(
            "gpus_per_node", 0, {0, 65536}, "GPUs that count as one node; 0 = all of them")),
        cable_{.bandwidth = parameters.get_bandwidth(
                   "link", BytesPerSecond{450e9}, "rate of a GPU's link, each direction"),
               .latency = parameters.get_duration(
                   "latency", Seconds{250e-9}, "latency of a GPU's link; a path has two")} {}

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    const std::int64_t node_size = gpus_per_node_ == 0 ? gpus_ : gpus_per_node_;
    for (std::int64_t i = 0; i < gpus_; ++i) {
      builder.add_device(fmt::format("gpu{}", i),
                         DeviceKind::Gpu,
                         NodeId{static_cast<std::size_t>(i / node_size)});
    }
    const DeviceId hub = builder.add_device("switch", DeviceKind::Switch);
    for (std::size_t i = 0; i < static_cast<std::size_t>(gpus_); ++i) {
      builder.connect(DeviceId{i}, hub, cable_);
    }
    return builder.take();
  }

 private:
  std::int64_t gpus_;
  std::int64_t gpus_per_node_;
  Cable cable_;
};

const Register<TopologyGenerator, SingleSwitch> kSingleSwitch{"single_switch",
                                                              "GPUs on one switch"};

}  // namespace
}  // namespace switchyard

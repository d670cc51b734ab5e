// Chips on a two- or three-dimensional grid with wrap-around, each with a router of its own.
//
//        |          |          |
//   -- router --- router --- router --   each line `link`, full duplex; the ends wrap round
//      /  |       /  |       /  |        (a ring of two has one cable, not two)
//   gpu   |    gpu   |    gpu   |
//   -- router --- router --- router --   gpu - router: `injection`
//      /  |       /  |       /  |
//
// GPUs do not pass traffic on (see topologies/fabric.hpp), hence the routers. Where several
// shortest ways exist, the path policy picks; dimension-ordered routing is not modelled.
#include <array>

#include <fmt/format.h>

#include "topologies/building_blocks/fabric_builder.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class Torus final : public TopologyGenerator {
 public:
  explicit Torus(Parameters& parameters)
      : size_{parameters.get_integer("x", 4, {1, 4096}, "positions along the first axis"),
              parameters.get_integer("y", 4, {1, 4096}, "positions along the second axis"),
              parameters.get_integer(
                  "z", 1, {1, 4096}, "positions along the third axis; 1 = two-dimensional")},
        gpus_per_node_(parameters.get_integer(
            "gpus_per_node", 1, {1, 65536}, "GPUs, in order of x, that count as one node")),
        link_{.bandwidth = parameters.get_bandwidth(
                  "link", BytesPerSecond{100e9}, "rate between neighbours, each direction"),
              .latency = parameters.get_duration(
                  "latency", Seconds{500e-9}, "router to neighbouring router")},
        injection_{.bandwidth = parameters.get_bandwidth(
                       "injection", BytesPerSecond{600e9}, "rate of a GPU to its router"),
                   .latency = parameters.get_duration(
                       "injection_latency", Seconds{100e-9}, "GPU to its router")} {
    if (count() > static_cast<std::int64_t>(FabricBuilder::kMostDevices / 4)) {
      throw InvalidInput(fmt::format("a torus of {} GPUs is not possible", count()),
                         parameters.where());
    }
  }

  [[nodiscard]] Fabric::Parts generate() const override {
    FabricBuilder builder;
    for (std::int64_t i = 0; i < count(); ++i) {
      builder.add_device(fmt::format("gpu{}", i),
                         DeviceKind::Gpu,
                         NodeId{static_cast<std::size_t>(i / gpus_per_node_)});
    }
    for (std::int64_t i = 0; i < count(); ++i) {
      const Position at = position(i);
      const DeviceId router = builder.add_device(fmt::format("router{}.{}.{}", at[0], at[1], at[2]),
                                                 DeviceKind::Switch);
      builder.connect(DeviceId{static_cast<std::size_t>(i)}, router, injection_);
    }
    for (std::int64_t i = 0; i < count(); ++i) {
      for (std::size_t axis = 0; axis < size_.size(); ++axis) {
        join_next(builder, i, axis);
      }
    }
    return builder.take();
  }

 private:
  using Position = std::array<std::int64_t, 3>;

  [[nodiscard]] std::int64_t count() const { return size_[0] * size_[1] * size_[2]; }

  [[nodiscard]] Position position(std::int64_t number) const {
    return {number % size_[0], number / size_[0] % size_[1], number / (size_[0] * size_[1])};
  }

  [[nodiscard]] DeviceId router_at(const Position& at) const {
    const std::int64_t number = at[0] + size_[0] * (at[1] + size_[1] * at[2]);
    return DeviceId{static_cast<std::size_t>(count() + number)};
  }

  void join_next(FabricBuilder& builder, std::int64_t number, std::size_t axis) const {
    const Position at = position(number);
    const bool is_last = at[axis] + 1 == size_[axis];
    if (is_last && size_[axis] < 3) {
      return;
    }
    Position next = at;
    next[axis] = (at[axis] + 1) % size_[axis];
    builder.connect(router_at(at), router_at(next), link_);
  }

  Position size_;
  std::int64_t gpus_per_node_;
  Cable link_;
  Cable injection_;
};

const Register<TopologyGenerator, Torus> kTorus{
    "torus", "GPUs on a two- or three-dimensional grid with wrap-around"};

}  // namespace
}  // namespace switchyard

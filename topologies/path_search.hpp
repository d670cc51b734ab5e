// Shortest paths over a fabric, on Boost.Graph. What would surprise: devices are not the vertices
// searched. A GPU, a host memory and an SSD have an exit and an entrance with nothing between, so
// that nothing travels through them, and a NIC has one half for each direction, so that two GPUs
// behind one NIC do not talk through it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "topologies/fabric.hpp"

namespace switchyard {

class PathSearch {
 public:
  /// Keeps copies of what it needs. Every link's ends must be valid device numbers.
  PathSearch(std::span<const Device> devices, std::span<const Link> links);
  PathSearch(PathSearch&&) noexcept;
  PathSearch& operator=(PathSearch&&) noexcept;
  PathSearch(const PathSearch&) = delete;
  PathSearch& operator=(const PathSearch&) = delete;
  ~PathSearch();

  /// [devices] whether traffic from `source` can arrive at each device.
  [[nodiscard]] std::vector<bool> reached_from(DeviceId source) const;

  /// True if each of `gpus` reaches each other one. Usually two searches, through a device that all
  /// of them share; one search per GPU where there is none.
  [[nodiscard]] bool all_reach_all(std::span<const DeviceId> gpus) const;

  /// The routes between all pairs of `gpus`, which must reach each other. One breadth-first search
  /// per destination. Throws InvalidInput if the table outgrows memory.
  [[nodiscard]] RouteTable routes(std::span<const DeviceId> gpus,
                                  PathPolicy policy,
                                  std::uint64_t seed) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard

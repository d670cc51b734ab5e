// Uses headers, embedded presets and a registry of the installed library.
#include <iostream>

#include <nlohmann/json.hpp>

#include "sim/network/network.hpp"
#include "topologies/topology_file.hpp"

int main() {
  const switchyard::Fabric fabric = switchyard::load_topology("dgx_h100_8");
  switchyard::Parameters none(nlohmann::json(), {});
  const auto network =
      switchyard::Registry<switchyard::Network>::instance().create("bound", "network", none);
  switchyard::Schedule schedule{.rank_count = 8};
  schedule.add(0, 1, 1'000'000);
  std::cout << fabric.rank_count() << " GPUs, "
            << network->simulate(fabric, schedule, {}).makespan_s * 1e6 << " us\n";
  return fabric.rank_count() == 8 ? 0 : 1;
}

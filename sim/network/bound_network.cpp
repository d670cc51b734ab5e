// The closed form: how fast the traffic could be if the busiest link never idled. Instant, never
// too slow a time; with few transfers in flight the truth can be twice as long (docs/validation).
#include <algorithm>

#include "sim/network/network.hpp"

namespace switchyard {
namespace {

class BoundNetwork final : public Network {
 public:
  explicit BoundNetwork(Parameters& /*parameters*/) {}

  [[nodiscard]] Timeline simulate(const Fabric& fabric,
                                  const Schedule& schedule,
                                  const NetworkOptions& options) const override {
    check_network_inputs(fabric, schedule, options);
    LinkLoads loads = link_loads(fabric, schedule, options);
    Timeline timeline{.network = "bound",
                      .mode = "closed form",
                      .makespan_s = loads.lower_bound_s,
                      .lower_bound_s = loads.lower_bound_s,
                      .bottleneck_link = loads.bottleneck_link,
                      .link_bytes = std::move(loads.bytes)};
    // Nothing is known of single ranks: whoever takes part is held until the bound.
    timeline.rank_finish_s = rank_entries(schedule.rank_count, options);
    for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
      timeline.rank_finish_s[static_cast<std::size_t>(schedule.source[i])] = loads.lower_bound_s;
      timeline.rank_finish_s[static_cast<std::size_t>(schedule.destination[i])] =
          loads.lower_bound_s;
    }
    apply_start_up(options, timeline);
    return timeline;
  }
};

const Register<Network, BoundNetwork> kBound{
    "bound", "closed form: busiest link or slowest transfer, no queueing; instant"};

}  // namespace
}  // namespace switchyard

#include "tests/support/networks/run_network.hpp"

#include "sim/exchange/schedule_builder.hpp"

namespace switchyard::testing {

Schedule schedule_of(std::size_t ranks, const std::vector<Sent>& transfers) {
  ScheduleBuilder builder(ranks);
  for (const Sent& sent : transfers) {
    builder.add({.from = sent.from,
                 .to = sent.to,
                 .bytes = sent.bytes,
                 .after = sent.after,
                 .messages = sent.messages});
  }
  return builder.take();
}

Timeline run_network(const std::string& name,
                     const Fabric& fabric,
                     const Schedule& schedule,
                     const NetworkOptions& options) {
  Parameters defaults = Parameters::describing();
  return Registry<Network>::instance()
      .create(name, "network", defaults)
      ->simulate(fabric, schedule, options);
}

std::vector<std::string> exact_networks() {
  std::vector<std::string> names = Registry<Network>::instance().names();
  std::erase(names, "bound");
  return names;
}

}  // namespace switchyard::testing

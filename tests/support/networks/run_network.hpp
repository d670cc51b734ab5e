// Networks and schedules as tests want them.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "sim/network/network.hpp"

namespace switchyard::testing {

/// A transfer as a test writes it down.
struct Sent {
  std::size_t from;
  std::size_t to;
  std::int64_t bytes;
  std::vector<std::uint32_t> after = {};
  std::int64_t messages = 1;
};

Schedule schedule_of(std::size_t ranks, const std::vector<Sent>& transfers);

/// The registered network with its default parameters.
Timeline run_network(const std::string& name,
                     const Fabric& fabric,
                     const Schedule& schedule,
                     const NetworkOptions& options = {});

/// All registered networks that time every transfer (not the closed forms).
std::vector<std::string> exact_networks();

}  // namespace switchyard::testing

// What passes between the `simgrid` network and the module that holds SimGrid: plain views, so that
// neither side sees the other's headers.
#pragma once

#include <span>

#include "sim/exchange/schedule.hpp"
#include "sim/network/network.hpp"
#include "topologies/building_blocks/platform_capture.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

struct SimgridReplay {
  const Schedule* schedule = nullptr;
  const RouteTable* routes = nullptr;
  const NetworkOptions* options = nullptr;
  /// [links] bytes/s that one transfer alone could send with this link as its narrowest: the link's
  /// rate over the share of a transfer that crosses it.
  std::span<const double> rates;
  /// [transfers] results, in memory that parent and child share; seconds. Stay NaN where the
  /// transfer never started or finished.
  std::span<double> start_s;
  std::span<double> finish_s;
};

/// The module's symbol: `extern "C" void switchyard_simgrid_replay(const SimgridReplay&)`.
/// Runs once per process. Throws std::exception or aborts when SimGrid is unhappy.
constexpr const char* kSimgridReplaySymbol = "switchyard_simgrid_replay";
using SimgridReplayFunction = void (*)(const SimgridReplay&);

}  // namespace switchyard

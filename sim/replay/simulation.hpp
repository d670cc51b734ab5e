// Replay: prices every layer of the trace, then strings them together rank by rank.
#pragma once

#include <cstdint>
#include <functional>

#include "core/run_control.hpp"
#include "sim/replay/layer_pricing.hpp"
#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// An exchange placed in time, for writers of timelines and flows.
struct ExchangeRecord {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  Direction direction = Direction::Dispatch;
  double start_s = 0;  // of the exchange, from the start of the replay
  const Schedule& schedule;
  const Timeline& timeline;
};

struct SimulationHooks {
  Progress progress;                                    // may be empty
  std::function<void(const ExchangeRecord&)> exchange;  // may be empty; called in order of time
  std::function<void(const LayerResult&)> layer;        // may be empty; after its exchanges
  unsigned threads = 0;                                 // 0 = one per core
};

/// Replays the scenario. Timing of a layer, per rank: a collective starts when its last rank has
/// arrived; a rank computes once its last token is in; it leaves the layer with its last result.
/// On Ctrl-C returns what is finished, marked is_partial.
SimulationResult simulate(const Scenario& scenario, const SimulationHooks& hooks = {});

}  // namespace switchyard

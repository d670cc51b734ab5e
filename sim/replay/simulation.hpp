// Replay: prices every layer of the trace, then strings them together rank by rank.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/run_control.hpp"
#include "sim/replay/layer_pricing.hpp"
#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// A collective placed in time, for writers of timelines and flows.
struct ExchangeRecord {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::string name;    // of the phase: "dispatch", "combine", "tp_allgather" ...
  double start_s = 0;  // of the exchange, from the start of the replay
  const Schedule& schedule;
  const Timeline& timeline;
};

struct SimulationHooks {
  Progress progress;                                    // may be empty
  std::function<void(const ExchangeRecord&)> exchange;  // may be empty; called in order of time
  std::function<void(const LayerResult&)> layer;        // may be empty; after its exchanges
  std::size_t most_layers = 0;  // only this many, evenly spaced over the run; 0 = all
  unsigned threads = 0;         // 0 = one per core
};

/// Replays the scenario. A rank has one compute queue and one network queue; phases enter them in
/// the order of issue. A collective starts when its last rank is ready for it and leaves each rank
/// with that rank's last byte; work starts when its rank is ready. A layer's first phases wait for
/// the layer before, backward passes run from a step's last layer to its first. On Ctrl-C returns
/// what is finished, marked is_partial.
SimulationResult simulate(const Scenario& scenario, const SimulationHooks& hooks = {});

}  // namespace switchyard

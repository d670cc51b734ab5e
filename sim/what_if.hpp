// What would help this scenario? Every registered alternative, one change at a time, each simulated
// anew on the same layers and ranked by what it gains.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/run_control.hpp"
#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// One change to a scenario document.
struct WhatIf {
  std::string kind;       // "placement", "all_to_all", "schedule", "overlap", "capacity", "link"
  std::string change;     // for people: "placement round_robin"
  nlohmann::json values;  // top-level sections that replace the document's
};

/// What became of it.
struct WhatIfOutcome {
  WhatIf what;
  std::optional<double> time_s;  // of the sampled layers; empty if refused
  double gain = 0;               // share of the base's time that it saves; negative = slower
  double dropped_fraction = 0;   // of its pairs: not the same result for fewer tokens
  std::string refusal;           // why it cannot be done, if it cannot
};

struct WhatIfStudy {
  double base_s = 0;       // of the sampled layers
  std::size_t layers = 0;  // sampled
  std::size_t of_layers = 0;
  std::vector<WhatIfOutcome> ranked;  // largest gain first, refused ones last
  bool is_partial = false;            // interrupted: not all of them
};

struct WhatIfOptions {
  std::size_t most_layers = 8;  // the budget of each simulation; 0 = all layers
  unsigned threads = 0;         // 0 = one per core
  Progress progress;            // may be empty
};

/// The alternatives to a scenario that was simulated as `result`: other placements, algorithms,
/// schedules, overlaps and capacity limits that need no further parameter, the busiest link at
/// twice its rate, all links of its kind, and tokens dispatched in fp8.
std::vector<WhatIf> what_ifs(const Scenario& scenario, const SimulationResult& result);

/// Simulates the scenario and each of its alternatives on the same layers. The outcome does not
/// depend on the number of threads.
WhatIfStudy study_what_ifs(const Scenario& scenario,
                           const SimulationResult& result,
                           const WhatIfOptions& options);

}  // namespace switchyard

// What would make an offload run faster: changes, each replayed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/offload/offload_scenario.hpp"

namespace switchyard {

struct OffloadChange {
  std::string change;  // "host link twice as fast"
  double seconds_per_token = 0;
  double gain = 0;  // 1 - time / time of the run
};

/// Below which accuracy prefetching costs time: copies cannot be stopped, so a wrong one delays the
/// copies queued behind it.
struct PrefetchBreakEven {
  double without_s = 0;            // seconds per token without any prefetch
  double perfect_s = 0;            // with predictions that are always right
  std::optional<double> accuracy;  // where the two are even; nothing if they never are
};

struct OffloadStudy {
  std::vector<OffloadChange> ranked;            // largest gain first
  std::optional<PrefetchBreakEven> break_even;  // with a prefetch rule only
};

/// Replays the scenario with faster links, a larger cache, the best eviction, perfect predictions
/// and cheaper precision, as far as they would change anything.
OffloadStudy study_offload(const OffloadScenario& scenario,
                           const OffloadResult& result,
                           const Progress& progress = {});

/// What bounds the run, from how busy everything was.
struct OffloadLimit {
  std::string name;       // "host link", "SSD link", "GPU", "CPU", "other work"
  double busy_share = 0;  // of the total time
};

OffloadLimit limit_of(const OffloadResult& result);

}  // namespace switchyard

#include "report/files/lanes.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {
namespace {

// What one rank does in one phase: waits for the others, if it has to, then takes part.
void add_phase(const PhaseResult& phase, std::size_t rank, std::vector<LaneInterval>& intervals) {
  const auto add = [&](Lane lane, std::string_view name, double start, double finish) {
    if (finish > start) {
      intervals.push_back({static_cast<std::int32_t>(rank), lane, name, start, finish});
    }
  };
  const double ready = phase.ready_s[rank];
  const bool is_collective = phase.lane != Lane::Compute;
  const double start = is_collective ? phase.start_s : ready;
  if (is_collective) {
    add(Lane::Wait, lane_name(Lane::Wait), ready, start);
  }
  add(phase.lane, phase.name, start, phase.finish_s[rank]);
}

}  // namespace

std::vector<LaneInterval> lane_intervals(const LayerResult& layer) {
  std::vector<LaneInterval> intervals;
  const std::size_t ranks = layer.phases.empty() ? 0 : layer.phases.front().finish_s.size();
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto first = static_cast<std::ptrdiff_t>(intervals.size());
    for (const PhaseResult& phase : layer.phases) {
      SWITCHYARD_CHECK(phase.ready_s.size() == ranks && phase.finish_s.size() == ranks,
                       "a layer's phases disagree on the number of ranks");
      add_phase(phase, rank, intervals);
    }
    std::stable_sort(
        intervals.begin() + first,
        intervals.end(),
        [](const LaneInterval& a, const LaneInterval& b) { return a.start_s < b.start_s; });
  }
  return intervals;
}

}  // namespace switchyard

#include "report/files/lanes.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace switchyard {
namespace {

double latest(const std::vector<double>& times) {
  return *std::max_element(times.begin(), times.end());
}

}  // namespace

std::string_view lane_name(Lane lane) {
  switch (lane) {
    case Lane::Wait:
      return "wait";
    case Lane::Dispatch:
      return "dispatch";
    case Lane::Compute:
      return "compute";
    default:
      return "combine";
  }
}

std::vector<LaneInterval> lane_intervals(const LayerResult& layer) {
  if (!layer.dispatch || !layer.combine || layer.rank_start_s.empty()) {
    return {};
  }
  const std::size_t ranks = layer.rank_start_s.size();
  const std::vector<double>& dispatched = layer.dispatch->rank_finish_s;
  const std::vector<double>& combined = layer.combine->rank_finish_s;
  SWITCHYARD_CHECK(dispatched.size() == ranks && combined.size() == ranks &&
                       layer.rank_compute_s.size() == ranks,
                   "a layer's per-rank times disagree on the number of ranks");
  const double dispatch_start = latest(layer.rank_start_s);
  std::vector<double> computed(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    computed[rank] = dispatch_start + dispatched[rank] + layer.rank_compute_s[rank];
  }
  const double combine_start = latest(computed);

  std::vector<LaneInterval> intervals;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto add = [&](Lane lane, double start, double finish) {
      if (finish > start) {
        intervals.push_back({static_cast<std::int32_t>(rank), lane, start, finish});
      }
    };
    const double compute_start = dispatch_start + dispatched[rank];
    add(Lane::Wait, layer.rank_start_s[rank], dispatch_start);
    add(Lane::Dispatch, dispatch_start, compute_start);
    add(Lane::Compute, compute_start, computed[rank]);
    add(Lane::Wait, computed[rank], combine_start);
    add(Lane::Combine, combine_start, combine_start + combined[rank]);
  }
  return intervals;
}

}  // namespace switchyard

// What each rank does when, as intervals on lanes that never overlap within a rank: the common
// source of the timeline file and the `event` table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/replay/result.hpp"

namespace switchyard {

inline constexpr std::array<Lane, 5> kLanes{
    Lane::Wait, Lane::Dispatch, Lane::Compute, Lane::Combine, Lane::Collective};

struct LaneInterval {
  std::int32_t rank = 0;
  Lane lane = Lane::Wait;
  std::string_view name;  // of the phase, or "wait"; lives as long as the layer
  double start_s = 0;     // from the replay's start
  double finish_s = 0;
};

/// Intervals of one layer, by rank, then time; those of no length are left out. Empty if the
/// trace's fidelity gave the layer no times.
std::vector<LaneInterval> lane_intervals(const LayerResult& layer);

}  // namespace switchyard

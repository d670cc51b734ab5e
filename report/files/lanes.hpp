// What each rank does when, as intervals on four lanes that never overlap within a rank: the common
// source of the timeline file and the `event` table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/replay/result.hpp"

namespace switchyard {

enum class Lane { Wait, Dispatch, Compute, Combine };

inline constexpr std::array<Lane, 4> kLanes{
    Lane::Wait, Lane::Dispatch, Lane::Compute, Lane::Combine};

std::string_view lane_name(Lane lane);

struct LaneInterval {
  std::int32_t rank = 0;
  Lane lane = Lane::Wait;
  double start_s = 0;  // from the step's start
  double finish_s = 0;
};

/// Intervals of one layer, by rank, then time; those of no length are left out. Empty if the
/// trace's fidelity gave the layer no exchanges. Follows the replay's rule: an exchange starts when
/// its last rank has arrived, a rank computes once its own last token is in.
std::vector<LaneInterval> lane_intervals(const LayerResult& layer);

}  // namespace switchyard

// The sign test: whoever only asks "which is faster" wants the order right, not the microseconds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "profiler/calibration/accuracy.hpp"
#include "profiler/measurements/measurement.hpp"

namespace switchyard {

struct OrderingCount {
  std::int64_t pairs = 0;
  std::int64_t reproduced = 0;
};

/// Pairs of rows that differ in one column only and whose measured times differ by more than a
/// tenth: how many are predicted in the measured order, by that column. Pairs of two fitted rows do
/// not count. Columns: ep_size, tokens_per_rank, hidden, topk, num_experts, num_sms, message_bytes,
/// and "library" for rows of different `libraries` (parallel to rows) that are alike in all others.
std::map<std::string, OrderingCount> ordering_counts(const std::vector<Measurement>& rows,
                                                     const std::vector<Prediction>& predictions,
                                                     const std::vector<std::string>& libraries);

}  // namespace switchyard

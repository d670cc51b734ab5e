#include "profiler/calibration/ordering.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace switchyard {
namespace {

constexpr double kClearDifference = 1.1;
constexpr std::array<const char*, 8> kAxes{"ep_size",
                                           "tokens_per_rank",
                                           "hidden",
                                           "topk",
                                           "num_experts",
                                           "num_sms",
                                           "message_bytes",
                                           "library"};

std::string value_of(const Measurement& row, const std::string& library, std::size_t axis) {
  switch (axis) {
    case 0:
      return fmt::format("{}/{}", row.ranks, row.nodes);
    case 1:
      return std::to_string(row.tokens);
    case 2:
      return std::to_string(row.hidden);
    case 3:
      return std::to_string(row.top_k);
    case 4:
      return std::to_string(row.experts);
    case 5:
      return std::to_string(row.sms);
    case 6:
      return std::to_string(row.message_bytes);
    default:
      return library;
  }
}

/// What a row has to share with another to be compared along `axis`.
std::string group_of(const Measurement& row, const std::string& library, std::size_t axis) {
  std::string group = fmt::format("{} {}", is_combine(row.kind), row.element_bytes);
  for (std::size_t other = 0; other < kAxes.size(); ++other) {
    group += other == axis ? "" : "|" + value_of(row, library, other);
  }
  return group;
}

}  // namespace

std::map<std::string, OrderingCount> ordering_counts(const std::vector<Measurement>& rows,
                                                     const std::vector<Prediction>& predictions,
                                                     const std::vector<std::string>& libraries) {
  std::map<std::string, OrderingCount> counts;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    std::map<std::string, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      groups[group_of(rows[i], libraries[i], axis)].push_back(i);
    }
    for (const auto& [group, members] : groups) {
      for (std::size_t a = 0; a < members.size(); ++a) {
        for (std::size_t b = a + 1; b < members.size(); ++b) {
          const Prediction& one = predictions[members[a]];
          const Prediction& other = predictions[members[b]];
          const double ratio = one.measured_s / other.measured_s;
          if ((!one.is_held_out && !other.is_held_out) ||
              std::max(ratio, 1 / ratio) < kClearDifference ||
              value_of(rows[members[a]], libraries[members[a]], axis) ==
                  value_of(rows[members[b]], libraries[members[b]], axis)) {
            continue;
          }
          OrderingCount& count = counts[kAxes[axis]];
          ++count.pairs;
          count.reproduced += (one.predicted_s > other.predicted_s) == (ratio > 1) ? 1 : 0;
        }
      }
    }
  }
  return counts;
}

}  // namespace switchyard

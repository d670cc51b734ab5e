#include "sim/offload/batching.hpp"

#include <algorithm>

namespace switchyard {
namespace {

// Tokens that wait, and how many of them want each expert.
class Queues {
 public:
  Queues(const Matrix<std::int32_t>& experts, std::size_t expert_count)
      : experts_(experts), length_(expert_count, 0) {}

  void arrive(std::uint32_t token) {
    waiting_.push_back(token);
    count(token, 1);
  }

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

  // Moves up to `most` tokens of the longest queue to `taken`, in order of arrival. Tokens without
  // any expert go last, with whatever batch.
  void take_longest(std::size_t most, std::vector<std::uint32_t>& taken) {
    const auto longest = std::max_element(length_.begin(), length_.end());
    const bool has_experts = longest != length_.end() && *longest > 0;
    const auto expert = static_cast<std::int32_t>(longest - length_.begin());
    const std::size_t first = taken.size();
    std::vector<std::uint32_t> left;
    for (const std::uint32_t token : waiting_) {
      const auto row = experts_.row(token);
      const bool wants = !has_experts || std::find(row.begin(), row.end(), expert) != row.end();
      (wants && taken.size() - first < most ? taken : left).push_back(token);
    }
    waiting_ = std::move(left);
    for (std::size_t i = first; i < taken.size(); ++i) {
      count(taken[i], -1);
    }
  }

 private:
  void count(std::uint32_t token, std::int64_t change) {
    for (const std::int32_t expert : experts_.row(token)) {
      if (expert >= 0) {
        length_[static_cast<std::size_t>(expert)] += change;
      }
    }
  }

  const Matrix<std::int32_t>& experts_;
  std::vector<std::int64_t> length_;    // [experts]
  std::vector<std::uint32_t> waiting_;  // in order of arrival
};

}  // namespace

std::vector<std::uint32_t> expert_aware_order(const Matrix<std::int32_t>& experts,
                                              std::size_t expert_count,
                                              std::size_t batch,
                                              std::size_t waiting) {
  const std::size_t tokens = experts.rows();
  std::vector<std::uint32_t> order;
  order.reserve(tokens);
  Queues queues(experts, expert_count);
  std::uint32_t arrived = 0;
  while (order.size() < tokens) {
    while (arrived < tokens && queues.size() < std::max(waiting, batch)) {
      queues.arrive(arrived++);
    }
    const std::size_t full = std::min(order.size() + batch, order.size() + queues.size());
    while (order.size() < full) {
      queues.take_longest(full - order.size(), order);
    }
  }
  return order;
}

}  // namespace switchyard

// One timer per rank at most: armed while the rank has something that it may issue.
#include "sim/network/fluid/release_queue.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace switchyard {
namespace {

/// 0 = no limit.
std::uint32_t window_of(const Schedule& schedule, const NetworkOptions& options) {
  return static_cast<std::uint32_t>(options.outstanding > 0 ? options.outstanding
                                                            : schedule.outstanding);
}

}  // namespace

bool ReleaseQueue::is_all_at_once(const Schedule& schedule, const NetworkOptions& options) {
  return schedule.dependencies.empty() && window_of(schedule, options) == 0 &&
         options.message_overhead.count() <= 0;
}

ReleaseQueue::ReleaseQueue(const Schedule& schedule, const NetworkOptions& options)
    : schedule_(schedule),
      message_overhead_(options.message_overhead.count()),
      window_(window_of(schedule, options)),
      ranks_(schedule.rank_count) {
  if (window_ == 0) {
    window_ = std::numeric_limits<std::uint32_t>::max();
  }
  read_dependencies();
  for (std::uint32_t transfer = 0; transfer < schedule.transfer_count(); ++transfer) {
    if (waiting_for_.empty() || waiting_for_[transfer] == 0) {
      ranks_[source_of(transfer)].ready.push(transfer);
    }
  }
  const std::vector<double> entries = rank_entries(schedule.rank_count, options);
  for (std::uint32_t rank = 0; rank < ranks_.size(); ++rank) {
    ranks_[rank].free_at = entries[rank];
    arm(rank, 0);
  }
}

void ReleaseQueue::read_dependencies() {
  if (schedule_.dependencies.empty()) {
    return;
  }
  const auto count = static_cast<std::uint32_t>(schedule_.transfer_count());
  waiting_for_.resize(count);
  dependent_offsets_.assign(count + 1, 0);
  dependents_.resize(schedule_.dependencies.size());
  for (const std::uint32_t dependency : schedule_.dependencies) {
    ++dependent_offsets_[dependency + 1];
  }
  std::partial_sum(
      dependent_offsets_.begin(), dependent_offsets_.end(), dependent_offsets_.begin());
  std::vector<std::uint32_t> next(dependent_offsets_.begin(), dependent_offsets_.end() - 1);
  for (std::uint32_t transfer = 0; transfer < count; ++transfer) {
    const auto dependencies = schedule_.dependencies_of(transfer);
    waiting_for_[transfer] = static_cast<std::uint32_t>(dependencies.size());
    for (const std::uint32_t dependency : dependencies) {
      dependents_[next[dependency]++] = transfer;
    }
  }
}

void ReleaseQueue::arm(std::uint32_t rank, double now) {
  Rank& state = ranks_[rank];
  if (!state.has_timer && !state.ready.empty() && state.in_flight < window_) {
    timers_.emplace(std::max(now, state.free_at), rank);
    state.has_timer = true;
  }
}

void ReleaseQueue::release(std::vector<std::uint32_t>& transfers) {
  const auto [now, rank] = timers_.top();
  timers_.pop();
  Rank& state = ranks_[rank];
  state.has_timer = false;
  while (state.free_at <= now && !state.ready.empty() && state.in_flight < window_) {
    const std::uint32_t transfer = state.ready.top();
    state.ready.pop();
    ++state.in_flight;
    transfers.push_back(transfer);
    if (message_overhead_ > 0) {
      const double messages =
          schedule_.messages.empty() ? 1.0 : static_cast<double>(schedule_.messages[transfer]);
      state.free_at = now + messages * message_overhead_;
    }
  }
  arm(rank, now);
}

void ReleaseQueue::finished(std::uint32_t transfer, double now) {
  --ranks_[source_of(transfer)].in_flight;
  arm(source_of(transfer), now);
  if (waiting_for_.empty()) {
    return;
  }
  for (std::uint32_t k = dependent_offsets_[transfer]; k < dependent_offsets_[transfer + 1]; ++k) {
    const std::uint32_t dependent = dependents_[k];
    if (--waiting_for_[dependent] == 0) {
      ranks_[source_of(dependent)].ready.push(dependent);
      arm(source_of(dependent), now);
    }
  }
}

StartTimes::StartTimes(std::span<const double> start_s, std::size_t flows)
    : start_s_(start_s), order_(flows) {
  std::iota(order_.begin(), order_.end(), 0U);
  std::ranges::stable_sort(order_, {}, [&](std::uint32_t flow) { return start_of(flow); });
}

void StartTimes::release(std::vector<std::uint32_t>& flows) {
  const double now = next_time();
  while (next_ < order_.size() && start_of(order_[next_]) == now) {
    flows.push_back(order_[next_++]);
  }
}

}  // namespace switchyard

// One timer per rank at most: armed when the rank has something it may issue.
#include "sim/network/fluid/release_queue.hpp"

#include <algorithm>
#include <numeric>

namespace switchyard {
namespace {

std::uint32_t window_of(const Schedule& schedule, const NetworkOptions& options) {
  return static_cast<std::uint32_t>(options.outstanding > 0 ? options.outstanding
                                                            : schedule.outstanding);
}

}  // namespace

bool ReleaseQueue::is_all_at_once(const Schedule& schedule, const NetworkOptions& options) {
  return schedule.dependencies.empty() && window_of(schedule, options) == 0 &&
         options.message_overhead.count() <= 0;
}

double ReleaseQueue::entry_time(const NetworkOptions& options, std::size_t rank) {
  const double offset =
      options.start_offsets.empty() ? 0.0 : options.start_offsets.at(rank).count();
  return options.launch_overhead.count() + offset;
}

ReleaseQueue::ReleaseQueue(const Schedule& schedule, const NetworkOptions& options)
    : schedule_(schedule),
      message_overhead_(options.message_overhead.count()),
      window_(window_of(schedule, options)),
      ranks_(schedule.rank_count) {
  const auto count = static_cast<std::uint32_t>(schedule.transfer_count());
  if (!schedule.dependencies.empty()) {
    waiting_for_.resize(count);
    dependent_offsets_.assign(count + 1, 0);
    dependents_.resize(schedule.dependencies.size());
    for (const std::uint32_t dependency : schedule.dependencies) {
      ++dependent_offsets_[dependency + 1];
    }
    std::partial_sum(dependent_offsets_.begin(), dependent_offsets_.end(),
                     dependent_offsets_.begin());
    std::vector<std::uint32_t> next(dependent_offsets_.begin(), dependent_offsets_.end() - 1);
    for (std::uint32_t transfer = 0; transfer < count; ++transfer) {
      const auto dependencies = schedule.dependencies_of(transfer);
      waiting_for_[transfer] = static_cast<std::uint32_t>(dependencies.size());
      for (const std::uint32_t dependency : dependencies) {
        dependents_[next[dependency]++] = transfer;
      }
    }
  }
  if (window_ > 0) {
    queue_.resize(count);
    for (const std::int32_t source : schedule.source) {
      ++ranks_[static_cast<std::size_t>(source)].end;
    }
    std::uint32_t first = 0;
    for (Rank& rank : ranks_) {
      rank.next = first;
      first += rank.end;
      rank.end = rank.next;
    }
    for (std::uint32_t transfer = 0; transfer < count; ++transfer) {
      queue_[ranks_[static_cast<std::size_t>(schedule.source[transfer])].end++] = transfer;
    }
  } else {
    for (std::uint32_t transfer = 0; transfer < count; ++transfer) {
      if (waiting_for_.empty() || waiting_for_[transfer] == 0) {
        ranks_[static_cast<std::size_t>(schedule.source[transfer])].ready.push(transfer);
      }
    }
  }
  for (std::uint32_t rank = 0; rank < ranks_.size(); ++rank) {
    ranks_[rank].free_at = entry_time(options, rank);
    arm(rank, 0);
  }
}

bool ReleaseQueue::can_issue(const Rank& rank) const {
  if (window_ == 0) {
    return !rank.ready.empty();
  }
  return rank.next < rank.end && rank.in_flight < window_ &&
         (waiting_for_.empty() || waiting_for_[queue_[rank.next]] == 0);
}

std::uint32_t ReleaseQueue::take_next(Rank& rank) {
  if (window_ > 0) {
    return queue_[rank.next++];
  }
  const std::uint32_t transfer = rank.ready.top();
  rank.ready.pop();
  return transfer;
}

void ReleaseQueue::arm(std::uint32_t rank, double now) {
  Rank& state = ranks_[rank];
  if (!state.has_timer && can_issue(state)) {
    timers_.emplace(std::max(now, state.free_at), rank);
    state.has_timer = true;
  }
}

void ReleaseQueue::release(std::vector<std::uint32_t>& transfers) {
  const double now = next_time();
  while (!timers_.empty() && timers_.top().first == now) {
    const std::uint32_t rank = timers_.top().second;
    timers_.pop();
    Rank& state = ranks_[rank];
    state.has_timer = false;
    while (state.free_at <= now && can_issue(state)) {
      const std::uint32_t transfer = take_next(state);
      const double messages =
          schedule_.messages.empty() ? 1.0 : static_cast<double>(schedule_.messages[transfer]);
      ++state.in_flight;
      transfers.push_back(transfer);
      if (message_overhead_ > 0) {
        state.free_at = now + messages * message_overhead_;
      }
    }
    arm(rank, now);
  }
}

void ReleaseQueue::arrived(std::uint32_t transfer, double now) {
  const auto source = static_cast<std::uint32_t>(schedule_.source[transfer]);
  --ranks_[source].in_flight;
  arm(source, now);
  if (waiting_for_.empty()) {
    return;
  }
  for (std::uint32_t k = dependent_offsets_[transfer]; k < dependent_offsets_[transfer + 1]; ++k) {
    const std::uint32_t dependent = dependents_[k];
    const auto rank = static_cast<std::uint32_t>(schedule_.source[dependent]);
    if (--waiting_for_[dependent] == 0 && window_ == 0) {
      ranks_[rank].ready.push(dependent);
    }
    arm(rank, now);
  }
}

}  // namespace switchyard

#include "sim/exchange/schedule_builder.hpp"

#include <algorithm>
#include <limits>

#include "core/check.hpp"

namespace switchyard {

ScheduleBuilder::ScheduleBuilder(std::size_t ranks) {
  schedule_.rank_count = ranks;
  schedule_.dependency_offsets = {0};
}

std::optional<std::uint32_t> ScheduleBuilder::add(const PlannedTransfer& planned) {
  if (planned.bytes <= 0 || planned.from == planned.to) {
    return std::nullopt;
  }
  SWITCHYARD_CHECK(
      planned.messages >= 1 && planned.messages <= std::numeric_limits<std::int32_t>::max(),
      "a transfer has at least one message");
  const auto id = static_cast<std::uint32_t>(schedule_.transfer_count());
  schedule_.add(planned.from, planned.to, planned.bytes);
  schedule_.messages.push_back(static_cast<std::int32_t>(planned.messages));
  has_messages_ = has_messages_ || planned.messages != 1;
  std::vector<std::uint32_t>& all = schedule_.dependencies;
  const auto first = static_cast<std::ptrdiff_t>(all.size());
  all.insert(all.end(), planned.after.begin(), planned.after.end());
  std::sort(all.begin() + first, all.end());
  all.erase(std::unique(all.begin() + first, all.end()), all.end());
  SWITCHYARD_CHECK(all.size() <= std::numeric_limits<std::uint32_t>::max(),
                   "dependencies fit their offsets");
  schedule_.dependency_offsets.push_back(static_cast<std::uint32_t>(all.size()));
  return id;
}

Schedule ScheduleBuilder::take() {
  if (!has_messages_) {
    schedule_.messages.clear();
  }
  if (schedule_.dependencies.empty()) {
    schedule_.dependency_offsets.clear();
  }
  return std::move(schedule_);
}

std::optional<std::uint32_t> RoundOrder::add(ScheduleBuilder& builder,
                                             std::size_t from,
                                             std::size_t to,
                                             std::int64_t bytes) {
  const auto id = builder.add({.from = from, .to = to, .bytes = bytes, .after = waits_[from]});
  if (id) {
    next_[from].transfers.push_back(*id);
    next_[from].has_sent = true;
    next_[to].transfers.push_back(*id);
  }
  return id;
}

void RoundOrder::end_round() {
  for (std::size_t rank = 0; rank < waits_.size(); ++rank) {
    // A send already waits for everything before it; without one the old waits still stand.
    if (next_[rank].has_sent) {
      waits_[rank].clear();
    }
    waits_[rank].insert(
        waits_[rank].end(), next_[rank].transfers.begin(), next_[rank].transfers.end());
    next_[rank] = {};
  }
}

}  // namespace switchyard

// The invariants that every all-to-all algorithm owes the networks.
#include "sim/exchange/schedule.hpp"

#include <algorithm>
#include <utility>

#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

void check_dependencies(const Schedule& schedule) {
  const std::size_t count = schedule.transfer_count();
  if (schedule.dependency_offsets.empty()) {
    SWITCHYARD_CHECK(schedule.dependencies.empty(), "dependencies without offsets");
    return;
  }
  SWITCHYARD_CHECK(schedule.dependency_offsets.size() == count + 1, "one offset per transfer");
  SWITCHYARD_CHECK(schedule.dependency_offsets.back() == schedule.dependencies.size(),
                   "offsets cover the dependencies");
  for (std::size_t i = 0; i < count; ++i) {
    SWITCHYARD_CHECK(schedule.dependency_offsets[i] <= schedule.dependency_offsets[i + 1],
                     "offsets ascend");
    for (const std::uint32_t earlier : schedule.dependencies_of(i)) {
      SWITCHYARD_CHECK(earlier < i, "dependencies point backwards");
    }
  }
}

}  // namespace

void check_schedule(const Schedule& schedule) {
  const std::size_t count = schedule.transfer_count();
  SWITCHYARD_CHECK(schedule.destination.size() == count && schedule.bytes.size() == count,
                   "the columns have one length");
  SWITCHYARD_CHECK(schedule.messages.empty() || schedule.messages.size() == count,
                   "messages are given for all transfers or none");
  const auto ranks = static_cast<std::int32_t>(schedule.rank_count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t from = schedule.source[i];
    const std::int32_t to = schedule.destination[i];
    SWITCHYARD_CHECK(from >= 0 && from < ranks && to >= 0 && to < ranks, "ranks exist");
    SWITCHYARD_CHECK(from != to, "a rank sends nothing to itself");
    SWITCHYARD_CHECK(schedule.bytes[i] > 0, "transfers move bytes");
  }
  check_dependencies(schedule);
}

Schedule share_of_schedule(const Schedule& schedule, const Share& share) {
  ScheduleBuilder builder(schedule.rank_count);
  // [transfers] what to wait for instead of each: its piece, or what that would have waited for.
  std::vector<std::vector<std::uint32_t>> instead(schedule.transfer_count());
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    std::vector<std::uint32_t> after;
    for (const std::uint32_t earlier : schedule.dependencies_of(i)) {
      after.insert(after.end(), instead[earlier].begin(), instead[earlier].end());
    }
    const std::int64_t messages = schedule.messages.empty() ? 1 : schedule.messages[i];
    const auto id = builder.add({.from = static_cast<std::size_t>(schedule.source[i]),
                                 .to = static_cast<std::size_t>(schedule.destination[i]),
                                 .bytes = share.of(schedule.bytes[i]),
                                 .after = after,
                                 .messages = std::max<std::int64_t>(1, share.of(messages))});
    instead[i] = id ? std::vector<std::uint32_t>{*id} : std::move(after);
  }
  Schedule piece = builder.take();
  piece.outstanding = schedule.outstanding;
  return piece;
}

Matrix<std::int64_t> bytes_between_ranks(const Schedule& schedule) {
  Matrix<std::int64_t> bytes(schedule.rank_count, schedule.rank_count);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    bytes(static_cast<std::size_t>(schedule.source[i]),
          static_cast<std::size_t>(schedule.destination[i])) += schedule.bytes[i];
  }
  return bytes;
}

}  // namespace switchyard

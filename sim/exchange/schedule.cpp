// The invariants that every all-to-all algorithm owes the networks.
#include "sim/exchange/schedule.hpp"

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

Matrix<std::int64_t> bytes_between_ranks(const Schedule& schedule) {
  Matrix<std::int64_t> bytes(schedule.rank_count, schedule.rank_count);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    bytes(static_cast<std::size_t>(schedule.source[i]),
          static_cast<std::size_t>(schedule.destination[i])) += schedule.bytes[i];
  }
  return bytes;
}

}  // namespace switchyard

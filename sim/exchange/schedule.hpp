// A schedule: which bytes move between which ranks, in which order. Made by an all-to-all
// algorithm without any notion of time; priced by a network.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "sim/rank_work.hpp"

namespace switchyard {

/// Transfers as a structure of arrays; transfer i goes from source[i] to destination[i].
/// Transfers of one source rank are issued in index order.
struct Schedule {
  std::size_t rank_count = 0;
  std::vector<std::int32_t> source;       // [transfers] rank
  std::vector<std::int32_t> destination;  // [transfers] rank, never the source
  std::vector<std::int64_t> bytes;        // [transfers], > 0

  /// Transfers that must have finished before transfer i starts: dependencies[offsets[i]] to
  /// dependencies[offsets[i + 1]]. Both empty when nothing depends on anything.
  std::vector<std::uint32_t> dependency_offsets;
  std::vector<std::uint32_t> dependencies;

  /// At most this many transfers of one source rank are in flight, started in index order;
  /// 0 = no limit.
  std::int32_t outstanding = 0;

  /// Network messages that transfer i consists of, for per-message costs; empty = one each.
  std::vector<std::int32_t> messages;

  [[nodiscard]] std::size_t transfer_count() const { return source.size(); }

  [[nodiscard]] std::span<const std::uint32_t> dependencies_of(std::size_t transfer) const {
    if (dependency_offsets.empty()) {
      return {};
    }
    return std::span(dependencies)
        .subspan(dependency_offsets[transfer],
                 dependency_offsets[transfer + 1] - dependency_offsets[transfer]);
  }

  /// Appends a transfer without dependencies; transfers of zero bytes are left out.
  void add(std::size_t from, std::size_t to, std::int64_t amount) {
    if (amount > 0 && from != to) {
      source.push_back(static_cast<std::int32_t>(from));
      destination.push_back(static_cast<std::int32_t>(to));
      bytes.push_back(amount);
    }
  }
};

/// Throws InternalError unless every rank, size and dependency of the schedule is possible and the
/// dependencies point backwards (which also rules out cycles).
void check_schedule(const Schedule& schedule);

/// The same transfers with a share of the bytes each; the shares add up to the whole. A transfer
/// that is left with no byte drops out, and whoever waited for it waits for what it waited for.
Schedule share_of_schedule(const Schedule& schedule, const Share& share);

/// Bytes by (source, destination), [ranks, ranks].
Matrix<std::int64_t> bytes_between_ranks(const Schedule& schedule);

}  // namespace switchyard

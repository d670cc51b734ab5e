// Builds schedules whose transfers wait for one another. Transfers of zero bytes do not exist, so
// whoever waits for "the message of the last round" has to say what to wait for when there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/exchange/schedule.hpp"

namespace switchyard {

/// One transfer to be added.
struct PlannedTransfer {
  std::size_t from = 0;
  std::size_t to = 0;
  std::int64_t bytes = 0;
  std::span<const std::uint32_t> after = {};  // ids of earlier transfers, in any order, repeatable
  std::int64_t messages = 1;
};

class ScheduleBuilder {
 public:
  explicit ScheduleBuilder(std::size_t ranks);

  /// Adds the transfer and answers its id; nothing when it would move no bytes or stay on its rank.
  std::optional<std::uint32_t> add(const PlannedTransfer& planned);

  /// The finished schedule; the builder is empty afterwards.
  [[nodiscard]] Schedule take();

 private:
  Schedule schedule_;
  bool has_messages_ = false;
};

/// Rounds of simultaneous send and receive (MPI_Sendrecv): what a rank sends in one round waits for
/// what it sent and received in the rounds before.
class RoundOrder {
 public:
  explicit RoundOrder(std::size_t ranks) : waits_(ranks), next_(ranks) {}

  /// Adds a transfer of the current round; at most one from and one to each rank.
  std::optional<std::uint32_t> add(ScheduleBuilder& builder,
                                   std::size_t from,
                                   std::size_t to,
                                   std::int64_t bytes);
  /// Later transfers wait for those added since the last call.
  void end_round();

 private:
  struct Round {
    std::vector<std::uint32_t> transfers;
    bool has_sent = false;
  };

  std::vector<std::vector<std::uint32_t>> waits_;  // [ranks] what the next send waits for
  std::vector<Round> next_;                        // [ranks] of the current round
};

}  // namespace switchyard

// Where a token finds its experts: the rank that computes each, and the choice between replicas.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/placement.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// Which replica of an expert serves a (token, choice) pair.
enum class ReplicaChoice {
  Nearest,      // on the token's own rank, else on its node, else the (source mod replicas)-th
  RoundRobin,   // each source rank takes an expert's replicas in turn
  LeastLoaded,  // the replica on the rank with the fewest rows so far; ties to the nearest
};

inline constexpr std::string_view kReplicaChoices[] = {"nearest", "round_robin", "least_loaded"};

/// Throws InvalidInput with the nearest name.
ReplicaChoice parse_replica_choice(std::string_view name, const Location& where = {});

/// The slots of one layer, turned round: ranks by expert. Immutable; what a running choice needs
/// to remember is the caller's (see ReplicaCursor).
class ExpertRanks {
 public:
  ExpertRanks(const LayerPlacement& placement,
              std::size_t experts,
              const Fabric& fabric,
              std::size_t ranks,
              ReplicaChoice choice = ReplicaChoice::Nearest);

  /// The nearest holder of `expert` for a token on `source`.
  [[nodiscard]] std::int32_t rank_of(std::size_t source, std::size_t expert) const {
    return is_replicated_ ? nearest_[source * experts_ + expert] : holders_[expert];
  }

  /// All holders of `expert`, ascending.
  [[nodiscard]] std::span<const std::int32_t> holders_of(std::size_t expert) const {
    return std::span(holders_).subspan(first_[expert], first_[expert + 1] - first_[expert]);
  }

  /// Ranks by expert, when every expert has one holder; empty otherwise.
  [[nodiscard]] std::span<const std::int32_t> single_ranks() const {
    return is_replicated_ || shards_ > 1 ? std::span<const std::int32_t>() : holders_;
  }

  [[nodiscard]] ReplicaChoice choice() const { return choice_; }

  [[nodiscard]] std::size_t expert_count() const { return experts_; }

  /// Ranks that each hold a part of every expert; 1 = experts are whole.
  [[nodiscard]] std::int32_t shards() const { return shards_; }

 private:
  std::size_t experts_;
  ReplicaChoice choice_;
  std::int32_t shards_;
  bool is_replicated_ = false;
  std::vector<std::size_t> first_;     // [experts + 1] into holders_
  std::vector<std::int32_t> holders_;  // by expert, ascending ranks
  std::vector<std::int32_t> nearest_;  // [ranks, experts]; empty without replicas
};

/// Picks replicas pair by pair. Pairs of one layer in trace order give the same picks always.
class ReplicaCursor {
 public:
  ReplicaCursor(const ExpertRanks& expert_ranks, std::size_t ranks);

  /// The rank for the next pair of (source, expert).
  std::int32_t next(std::size_t source, std::size_t expert);

  /// The same for `count` pairs at once: adds them to `rows`, [ranks].
  void spread(std::size_t source,
              std::size_t expert,
              std::int64_t count,
              std::span<std::int64_t> rows);

 private:
  const ExpertRanks& expert_ranks_;
  std::vector<std::uint32_t> turn_;         // [ranks, experts] pairs so far, for RoundRobin
  std::vector<std::int64_t> rows_of_rank_;  // [ranks] pairs so far, for LeastLoaded
};

}  // namespace switchyard

// Which rank a token sits on when the trace does not say: an explicit rule, never a guess.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/routing_trace.hpp"

namespace switchyard {

enum class RankRule {
  Recorded,    // as in the trace; an error where the trace has none
  Contiguous,  // rows of a (step, layer) cut into equal runs, in order
  RoundRobin,  // row i of a (step, layer) goes to rank i mod ranks
  BySequence,  // whole sequences, dealt round robin in order of first appearance in the trace
};

std::string_view rank_rule_name(RankRule rule);
/// Throws InvalidInput with the nearest name.
RankRule parse_rank_rule(std::string_view name, const Location& where = {});

/// Gives the source rank of every row of a (step, layer).
class RankAssignment {
 public:
  /// Throws InvalidInput if the rule is Recorded and the trace has no ranks (hint: --assign-ranks)
  /// or more than `ranks` of them, or BySequence and the trace has no sequence ids.
  RankAssignment(const RoutingTrace& trace, RankRule rule, std::size_t ranks);

  [[nodiscard]] std::size_t rank_count() const { return ranks_; }

  [[nodiscard]] RankRule rule() const { return rule_; }

  /// Ranks of the rows of step_layer.chunks[position], one per row.
  [[nodiscard]] std::vector<std::int32_t> ranks_of(const StepLayer& step_layer,
                                                   std::size_t position) const;

 private:
  const RoutingTrace* trace_;
  RankRule rule_;
  std::size_t ranks_;
  std::shared_ptr<const std::unordered_map<std::int64_t, std::int32_t>> rank_of_sequence_;
};

/// The same rows with recorded source ranks: chunks split by rank, token order kept within each;
/// metadata.rank_assignment names the rule. In memory. Throws as RankAssignment does.
RoutingTrace with_ranks(const RoutingTrace& trace, RankRule rule, std::size_t ranks);

}  // namespace switchyard

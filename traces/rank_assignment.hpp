// Which rank a token sits on when the trace does not say: an explicit rule, never a guess.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "traces/routing_trace.hpp"

namespace switchyard {

enum class RankRule {
  Recorded,    // as in the trace; an error where the trace has none
  Contiguous,  // rows of a (step, layer) cut into equal runs, in order
  RoundRobin,  // row i of a (step, layer) goes to rank i mod ranks
  BySequence,  // whole sequences, dealt round robin in order of first appearance
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
};

}  // namespace switchyard

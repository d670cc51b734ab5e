// A rule looks only at the position of a row in its (step, layer), or at its sequence: so every
// layer puts a token on the same rank, as a real data-parallel group does.
#include "traces/rank_assignment.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 4> kRuleNames{
    "recorded", "contiguous", "round_robin", "by_sequence"};

using SequenceRanks = std::unordered_map<std::int64_t, std::int32_t>;

std::shared_ptr<const SequenceRanks> deal_sequences(const RoutingTrace& trace, std::size_t ranks) {
  auto dealt = std::make_shared<SequenceRanks>();
  for (const StepLayer& step_layer : trace.step_layers()) {
    for (const std::size_t index : step_layer.chunks) {
      const Chunk& chunk = trace.chunks()[index];
      const auto sequences = trace.sequence_ids(chunk);
      if (!sequences) {
        throw InvalidInput("names no sequences, so tokens cannot be assigned by_sequence",
                           trace.where(),
                           "use contiguous or round_robin");
      }
      for (const std::int64_t sequence : *sequences) {
        dealt->try_emplace(sequence, static_cast<std::int32_t>(dealt->size() % ranks));
      }
    }
  }
  return dealt;
}

std::size_t rows_of(const RoutingTrace& trace, const StepLayer& step_layer, std::size_t chunks) {
  std::size_t rows = 0;
  for (std::size_t i = 0; i < chunks; ++i) {
    rows += static_cast<std::size_t>(trace.chunks()[step_layer.chunks[i]].row_count);
  }
  return rows;
}

template <class T>
void append_rows(std::vector<T>& to,
                 const std::vector<T>& from,
                 std::span<const std::size_t> order) {
  if (order.empty() || from.empty()) {
    return;
  }
  const std::size_t width = from.size() / order.size();
  for (const std::size_t row : order) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(row * width);
    to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(width));
  }
}

// Appends the rows of one source chunk, and one chunk for each rank that holds some of them.
void append_by_rank(TraceColumns& to,
                    const TraceColumns& from,
                    const Chunk& chunk,
                    const std::vector<std::int32_t>& ranks) {
  std::vector<std::size_t> order(ranks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&ranks](std::size_t a, std::size_t b) {
    return ranks[a] < ranks[b];
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t rank = ranks[order[i]];
    if (i == 0 || to.chunks.back().source_rank != rank) {
      std::int64_t first = 0;
      if (!to.chunks.empty()) {
        first = to.chunks.back().first_row + to.chunks.back().row_count;
      }
      to.chunks.push_back({chunk.step, chunk.layer, rank, first, 0});
    }
    ++to.chunks.back().row_count;
  }
  append_rows(to.expert_ids, from.expert_ids, order);
  append_rows(to.gate_weights, from.gate_weights, order);
  append_rows(to.logits, from.logits, order);
  append_rows(to.token_ids, from.token_ids, order);
  append_rows(to.sequence_ids, from.sequence_ids, order);
  append_rows(to.modality, from.modality, order);
  append_rows(to.alive, from.alive, order);
  append_rows(to.precision, from.precision, order);
}

template <class T>
void concatenate(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

TraceColumns all_rows(const RoutingTrace& trace, const StepLayer& step_layer) {
  TraceColumns all;
  for (const std::size_t index : step_layer.chunks) {
    const TraceColumns part = copy_rows(trace, trace.chunks()[index]);
    concatenate(all.expert_ids, part.expert_ids);
    concatenate(all.gate_weights, part.gate_weights);
    concatenate(all.logits, part.logits);
    concatenate(all.token_ids, part.token_ids);
    concatenate(all.sequence_ids, part.sequence_ids);
    concatenate(all.modality, part.modality);
    concatenate(all.alive, part.alive);
    concatenate(all.precision, part.precision);
  }
  return all;
}

}  // namespace

std::string_view rank_rule_name(RankRule rule) {
  return kRuleNames.at(static_cast<std::size_t>(rule));
}

RankRule parse_rank_rule(std::string_view name, const Location& where) {
  const auto found = std::find(kRuleNames.begin(), kRuleNames.end(), name);
  if (found == kRuleNames.end()) {
    const std::vector<std::string> known(kRuleNames.begin(), kRuleNames.end());
    throw InvalidInput(fmt::format("no rule for ranks is called \"{}\"", name),
                       where,
                       suggestion_hint(name, known));
  }
  return static_cast<RankRule>(found - kRuleNames.begin());
}

RankAssignment::RankAssignment(const RoutingTrace& trace, RankRule rule, std::size_t ranks)
    : trace_(&trace), rule_(rule), ranks_(ranks) {
  if (ranks == 0) {
    throw InvalidInput("at least one rank is needed", trace.where());
  }
  if (rule == RankRule::Recorded) {
    if (trace.source_rank_count() == 0) {
      throw InvalidInput("does not record which rank a token came from",
                         trace.where(),
                         "choose a rule: --assign-ranks contiguous, round_robin or by_sequence");
    }
    if (trace.source_rank_count() > ranks) {
      throw InvalidInput(
          fmt::format(
              "has tokens of {} ranks; only {} are simulated", trace.source_rank_count(), ranks),
          trace.where(),
          "use more ranks, or choose another rule with --assign-ranks");
    }
  } else if (rule == RankRule::BySequence) {
    rank_of_sequence_ = deal_sequences(trace, ranks);
  }
}

std::vector<std::int32_t> RankAssignment::ranks_of(const StepLayer& step_layer,
                                                   std::size_t position) const {
  const Chunk& chunk = trace_->chunks()[step_layer.chunks.at(position)];
  std::vector<std::int32_t> ranks(static_cast<std::size_t>(chunk.row_count));
  if (rule_ == RankRule::Recorded) {
    std::fill(ranks.begin(), ranks.end(), static_cast<std::int32_t>(chunk.source_rank));
    return ranks;
  }
  if (rule_ == RankRule::BySequence) {
    const auto sequences = trace_->sequence_ids(chunk);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      ranks[i] = rank_of_sequence_->at((*sequences)[i]);
    }
    return ranks;
  }
  const std::size_t before = rows_of(*trace_, step_layer, position);
  const std::size_t all = rows_of(*trace_, step_layer, step_layer.chunks.size());
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const std::size_t row = before + i;
    ranks[i] = static_cast<std::int32_t>(rule_ == RankRule::RoundRobin ? row % ranks_
                                                                       : row * ranks_ / all);
  }
  return ranks;
}

RoutingTrace with_ranks(const RoutingTrace& trace, RankRule rule, std::size_t ranks) {
  const RankAssignment assignment(trace, rule, ranks);
  TraceColumns columns;
  for (const StepLayer& step_layer : trace.step_layers()) {
    std::vector<std::int32_t> rank_of_row;
    for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
      concatenate(rank_of_row, assignment.ranks_of(step_layer, position));
    }
    append_by_rank(columns,
                   all_rows(trace, step_layer),
                   {.step = step_layer.step, .layer = step_layer.layer},
                   rank_of_row);
  }
  TraceMetadata metadata = trace.metadata();
  metadata.rank_assignment = rule == RankRule::Recorded
                                 ? ""
                                 : fmt::format("{} over {} ranks", rank_rule_name(rule), ranks);
  return RoutingTrace::from_columns(std::move(metadata), std::move(columns), trace.where());
}

}  // namespace switchyard

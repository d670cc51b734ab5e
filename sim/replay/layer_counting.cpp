// The ways to a traffic matrix: straight from the mapped rows (nothing is dropped), through a copy
// that the capacity policy edits, following tokens that move, or from counts.
#include <algorithm>

#include <fmt/format.h>

#include "sim/replay/layer_pricing.hpp"

namespace switchyard {
namespace {

// A trace's row and the rank it starts on.
struct RowOrigin {
  std::int32_t rank = 0;
  std::size_t position = 0;  // into StepLayer::chunks
  std::size_t row = 0;       // inside that chunk
};

// Every row of the layer, in order of source rank, then token.
std::vector<RowOrigin> rows_by_rank(const StepLayer& step_layer, const RankAssignment& ranks) {
  std::vector<RowOrigin> rows;
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const std::vector<std::int32_t> of_rows = ranks.ranks_of(step_layer, position);
    for (std::size_t row = 0; row < of_rows.size(); ++row) {
      rows.push_back({of_rows[row], position, row});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const RowOrigin& a, const RowOrigin& b) {
    return a.rank < b.rank;
  });
  return rows;
}

void copy_ids(const RoutingTrace& trace,
              const Chunk& chunk,
              std::size_t row,
              std::size_t expert_count,
              std::span<std::int32_t> out) {
  const ExpertIds ids = trace.expert_ids(chunk);
  for (std::size_t choice = 0; choice < out.size(); ++choice) {
    const std::int32_t id = ids.at(row, choice);
    if (id != kNoExpert && (id < 0 || static_cast<std::size_t>(id) >= expert_count)) {
      throw_expert_out_of_range(trace, chunk, row, id);
    }
    out[choice] = id;
  }
}

}  // namespace

TrafficCounter LayerPricer::counter_of(std::int64_t step, std::int64_t layer) const {
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  if (!scenario_.schedule->counts_tensor_groups()) {
    return {experts_of(step, layer), *scenario_.fabric, scenario_.ranks, experts};
  }
  std::vector<std::int32_t> groups;
  for (std::size_t rank = 0; rank < scenario_.ranks; ++rank) {
    groups.push_back(static_cast<std::int32_t>(scenario_.groups.tensor_group_of(rank)));
  }
  return {experts_of(step, layer), std::move(groups), experts};
}

void LayerPricer::leave_out_skipping(const StepLayer& step_layer,
                                     std::vector<std::int64_t>& rank_tokens) const {
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const auto alive = trace_->alive(trace_->chunks()[step_layer.chunks[position]]);
    if (!alive || rank_tokens.empty()) {
      return;
    }
    const std::vector<std::int32_t> ranks = ranks_->ranks_of(step_layer, position);
    for (std::size_t row = 0; row < ranks.size(); ++row) {
      rank_tokens[static_cast<std::size_t>(ranks[row])] -= (*alive)[row] != 0 ? 0 : 1;
    }
  }
}

LayerPricer::CountedLayer LayerPricer::count_tokens(const StepLayer& step_layer) const {
  if (!scenario_.capacity->keeps_everything()) {
    CountedLayer limited = count_with_capacity(*trace_, step_layer, *ranks_);
    leave_out_skipping(step_layer, limited.traffic.rank_tokens);
    return limited;
  }
  TrafficCounter counter = counter_of(step_layer.step, step_layer.layer);
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const Chunk& chunk = trace_->chunks()[step_layer.chunks[position]];
    counter.add(*trace_, chunk, trace_->expert_ids(chunk), ranks_->ranks_of(step_layer, position));
    trace_->release(chunk);
  }
  CountedLayer counted{.traffic = counter.take(), .capacity = {}, .loss = {}};
  leave_out_skipping(step_layer, counted.traffic.rank_tokens);
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

LayerPricer::CountedLayer LayerPricer::count_with_capacity(const RoutingTrace& trace,
                                                           const StepLayer& step_layer,
                                                           const RankAssignment& ranks) const {
  const std::vector<RowOrigin> rows = rows_by_rank(step_layer, ranks);
  const auto experts = static_cast<std::size_t>(scenario_.model.experts);
  // Weights are read where there are any: they tell what a dropped choice was worth.
  const bool with_weights =
      !rows.empty() && trace.gate_weights(trace.chunks()[step_layer.chunks.front()]).has_value();
  const bool with_logits = scenario_.capacity->needs_logits();
  LayerTokens tokens{
      .experts = experts,
      .ranks = scenario_.ranks,
      .expert_ids = Matrix<std::int32_t>(rows.size(), trace.top_k()),
      .gate_weights = Matrix<float>(with_weights ? rows.size() : 0, trace.top_k()),
      .logits = Matrix<float>(with_logits ? rows.size() : 0, experts),
      .source_rank = {},
      .layer = step_layer.layer,
      .hidden = static_cast<std::size_t>(scenario_.model.hidden),
      .zero_cost_experts = static_cast<std::size_t>(scenario_.model.zero_cost_experts),
      .seed = scenario_.seed};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Chunk& chunk = trace.chunks()[step_layer.chunks[rows[i].position]];
    copy_ids(trace, chunk, rows[i].row, experts, tokens.expert_ids.row(i));
    if (with_weights) {
      trace.gate_weights(chunk)->copy_row(rows[i].row, tokens.gate_weights.row(i));
    }
    if (with_logits) {
      trace.logits(chunk)->copy_row(rows[i].row, tokens.logits.row(i));
    }
    tokens.source_rank.push_back(rows[i].rank);
  }
  const Matrix<std::int32_t> wishes = tokens.expert_ids;
  CountedLayer counted{.traffic = {}, .capacity = scenario_.capacity->apply(tokens), .loss = {}};
  counted.loss = capacity_loss(wishes, tokens);
  TrafficCounter counter = counter_of(step_layer.step, step_layer.layer);
  counter.add(tokens.expert_ids, tokens.source_rank);
  if (!counted.capacity.padded_slots.empty()) {
    counter.pad_to(counted.capacity.padded_slots);
  }
  counted.traffic = counter.take();
  return counted;
}

LayerPricer::CountedLayer LayerPricer::count_loads(const LoadGroup& group) const {
  const LoadRow& first = load_->rows[group.first];
  TrafficCounter counter = counter_of(first.step, first.layer);
  CountedLayer counted;
  for (std::size_t row = group.first; row < group.last; ++row) {
    const std::int64_t source = load_->rows[row].source_rank;
    counted.has_sources = counted.has_sources && source >= 0;
    counter.add_counts(static_cast<std::size_t>(std::max<std::int64_t>(source, 0)),
                       load_->counts.row(row));
  }
  counted.traffic = counter.take();
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

std::vector<std::int32_t> LayerPricer::ranks_after(const StepLayer& step_layer) const {
  const ExpertRanks& experts = experts_of(step_layer.step, step_layer.layer);
  std::vector<std::int32_t> after;
  for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
    const Chunk& chunk = trace_->chunks()[step_layer.chunks[position]];
    const ExpertIds ids = trace_->expert_ids(chunk);
    const std::optional<FloatRows> weights = trace_->gate_weights(chunk);
    const std::vector<std::int32_t> home = ranks_->ranks_of(step_layer, position);
    for (std::size_t row = 0; row < ids.rows(); ++row) {
      std::int32_t best = kNoExpert;
      float most = 0;
      for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
        const std::int32_t id = ids.at(row, choice);
        const float weight = weights ? weights->at(row, choice) : 0;
        if (id != kNoExpert && (best == kNoExpert || weight > most)) {
          best = id;
          most = weight;
        }
      }
      if (best >= scenario_.model.experts) {
        throw_expert_out_of_range(*trace_, chunk, row, best);
      }
      const auto source = static_cast<std::size_t>(home[row]);
      after.push_back(best == kNoExpert ? home[row]
                                        : experts.rank_of(source, static_cast<std::size_t>(best)));
    }
  }
  return after;
}

LayerPricer::CountedLayer LayerPricer::count_moving_tokens(std::size_t index) const {
  const StepLayer& step_layer = trace_->step_layers()[index];
  const std::vector<std::int32_t> after = ranks_after(step_layer);
  std::vector<std::int32_t> before;
  if (is_first_layer(index)) {
    for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
      const auto home = ranks_->ranks_of(step_layer, position);
      before.insert(before.end(), home.begin(), home.end());
    }
  } else {
    const StepLayer& previous = trace_->step_layers()[index - 1];
    before = ranks_after(previous);
    if (before.size() != after.size()) {
      throw InvalidInput(fmt::format("step {} has {} tokens at layer {} but {} at layer {}: tokens "
                                     "cannot be followed from one to the other",
                                     step_layer.step,
                                     before.size(),
                                     previous.layer,
                                     after.size(),
                                     step_layer.layer),
                         trace_->where(),
                         "choose schedule two_all_to_all");
    }
  }
  TrafficCounter dispatch = counter_of(step_layer.step, step_layer.layer);
  TrafficCounter results = counter_of(step_layer.step, step_layer.layer);
  std::size_t first = 0;
  for (const std::size_t position : step_layer.chunks) {
    const Chunk& chunk = trace_->chunks()[position];
    const ExpertIds ids = trace_->expert_ids(chunk);
    dispatch.add(*trace_, chunk, ids, std::span(before).subspan(first, ids.rows()));
    results.add(*trace_, chunk, ids, std::span(after).subspan(first, ids.rows()));
    first += ids.rows();
    trace_->release(chunk);
  }
  CountedLayer counted{.traffic = dispatch.take(), .results = results.take(), .capacity = {}};
  counted.capacity.pairs = counted.traffic.pairs;
  counted.capacity.kept = counted.capacity.pairs;
  return counted;
}

}  // namespace switchyard

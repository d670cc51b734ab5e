#include "sim/affinity/transitions.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace switchyard {
namespace {

// The main experts of one (step, layer), and the chunks they came in.
struct MainExperts {
  const StepLayer* step_layer = nullptr;
  std::vector<std::int32_t> experts;  // [tokens], kNoExpert where a token has none
};

void check_id(const RoutingTrace& trace, const Chunk& chunk, std::size_t row, std::int32_t id) {
  if (id != kNoExpert && (id < 0 || std::cmp_greater_equal(id, trace.expert_count()))) {
    throw_expert_out_of_range(trace, chunk, row, id);
  }
}

void append_main_experts(const RoutingTrace& trace,
                         const Chunk& chunk,
                         std::vector<std::int32_t>& experts) {
  const ExpertIds ids = trace.expert_ids(chunk);
  const auto weights = ids.top_k() > 1 ? trace.gate_weights(chunk) : std::nullopt;
  for (std::size_t row = 0; row < ids.rows(); ++row) {
    std::int32_t main = kNoExpert;
    float heaviest = 0;
    for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
      const std::int32_t id = ids.at(row, choice);
      check_id(trace, chunk, row, id);
      const float weight = weights ? weights->at(row, choice) : 1;
      if (id != kNoExpert && (main == kNoExpert || weight > heaviest)) {
        main = id;
        heaviest = weight;
      }
    }
    experts.push_back(main);
  }
  trace.release(chunk);
}

MainExperts main_experts(const RoutingTrace& trace, const StepLayer& step_layer) {
  MainExperts found{.step_layer = &step_layer, .experts = {}};
  for (const std::size_t index : step_layer.chunks) {
    append_main_experts(trace, trace.chunks()[index], found.experts);
  }
  return found;
}

// Row i of one layer is row i of the next only if the chunks are alike.
void check_same_tokens(const RoutingTrace& trace, const StepLayer& from, const StepLayer& to) {
  for (std::size_t i = 0; i < std::max(from.chunks.size(), to.chunks.size()); ++i) {
    const Chunk a = i < from.chunks.size() ? trace.chunks()[from.chunks[i]] : Chunk{};
    const Chunk b = i < to.chunks.size() ? trace.chunks()[to.chunks[i]] : Chunk{};
    if (a.source_rank != b.source_rank || a.row_count != b.row_count) {
      throw InvalidInput(
          fmt::format("tokens cannot be followed: step {} has {} of them on rank {} at layer {} "
                      "and {} on rank {} at layer {}",
                      from.step,
                      a.row_count,
                      a.source_rank,
                      from.layer,
                      b.row_count,
                      b.source_rank,
                      to.layer),
          trace.where(),
          "record every token at every layer, or choose a placement by load (eplb, greedy)");
    }
  }
}

void add_pairs(const MainExperts& from, const MainExperts& to, Matrix<std::int64_t>& counts) {
  for (std::size_t token = 0; token < from.experts.size(); ++token) {
    if (from.experts[token] != kNoExpert && to.experts[token] != kNoExpert) {
      ++counts(static_cast<std::size_t>(from.experts[token]),
               static_cast<std::size_t>(to.experts[token]));
    }
  }
}

}  // namespace

std::int64_t Transitions::total() const {
  std::int64_t sum = 0;
  for (const Matrix<std::int64_t>& matrix : counts) {
    sum = std::accumulate(matrix.values().begin(), matrix.values().end(), sum);
  }
  return sum;
}

Transitions count_transitions(const RoutingTrace& trace,
                              std::span<const std::int64_t> layers,
                              const StepRange& steps) {
  const bool has_weights =
      !trace.chunks().empty() && trace.gate_weights(trace.chunks().front()).has_value();
  if (trace.top_k() > 1 && !has_weights) {
    throw MissingCapability(
        fmt::format("a token has {} experts a layer, and without gate weights none is the main one",
                    trace.top_k()),
        trace.where(),
        "record gate weights, or choose a placement by load (eplb, greedy)");
  }
  Transitions transitions;
  const std::size_t experts = trace.expert_count();
  transitions.counts.assign(layers.empty() ? 0 : layers.size() - 1,
                            Matrix<std::int64_t>(experts, experts));
  MainExperts before;
  for (const StepLayer& step_layer : trace.step_layers()) {
    const auto place = std::lower_bound(layers.begin(), layers.end(), step_layer.layer);
    if (!steps.contains(step_layer.step) || place == layers.end() || *place != step_layer.layer) {
      continue;
    }
    MainExperts here = main_experts(trace, step_layer);
    const auto index = static_cast<std::size_t>(place - layers.begin());
    if (index > 0 && before.step_layer != nullptr && before.step_layer->step == step_layer.step &&
        before.step_layer->layer == layers[index - 1]) {
      check_same_tokens(trace, *before.step_layer, step_layer);
      add_pairs(before, here, transitions.counts[index - 1]);
    }
    before = std::move(here);
  }
  return transitions;
}

std::int64_t crossings(const Transitions& transitions, const Parts& parts) {
  std::int64_t sum = 0;
  for (std::size_t layer = 0; layer < transitions.counts.size(); ++layer) {
    const Matrix<std::int64_t>& counts = transitions.counts[layer];
    for (std::size_t from = 0; from < counts.rows(); ++from) {
      for (std::size_t to = 0; to < counts.columns(); ++to) {
        sum += parts[layer][from] != parts[layer + 1][to] ? counts(from, to) : 0;
      }
    }
  }
  return sum;
}

}  // namespace switchyard

#include "sim/offload/access_stream.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "core/matrix.hpp"
#include "sim/cache_policy.hpp"
#include "sim/offload/batching.hpp"

namespace switchyard {
namespace {

// All tokens of one (step, layer): chunks in order of source rank.
struct LayerRows {
  Matrix<std::int32_t> experts;         // [tokens, k], by falling weight where weights are needed
  Matrix<Need> needs;                   // [tokens, k]
  std::vector<std::int64_t> sequences;  // [tokens] or empty
};

class LayerReader {
 public:
  LayerReader(const RoutingTrace& trace, const PrecisionRule& rule)
      : trace_(trace), rule_(rule), k_(trace.top_k()), weights_(k_), order_(k_) {}

  LayerRows read(const StepLayer& group) {
    std::size_t tokens = 0;
    for (const std::size_t index : group.chunks) {
      tokens += static_cast<std::size_t>(trace_.chunks()[index].row_count);
    }
    LayerRows rows{.experts = Matrix<std::int32_t>(tokens, k_, kNoExpert),
                   .needs = Matrix<Need>(tokens, k_, Need::High),
                   .sequences = {}};
    std::size_t first = 0;
    for (const std::size_t index : group.chunks) {
      const Chunk& chunk = trace_.chunks()[index];
      read_chunk(chunk, first, rows);
      first += static_cast<std::size_t>(chunk.row_count);
      trace_.release(chunk);
    }
    return rows;
  }

 private:
  void read_chunk(const Chunk& chunk, std::size_t first, LayerRows& rows) {
    const ExpertIds ids = trace_.expert_ids(chunk);
    const auto alive = trace_.alive(chunk);
    ids.visit([&](auto stored) {
      using Stored = typename decltype(stored)::value_type;
      for (std::size_t row = 0; row < ids.rows(); ++row) {
        if (alive && (*alive)[row] == 0) {
          continue;
        }
        for (std::size_t choice = 0; choice < k_; ++choice) {
          const Stored id = stored[row * k_ + choice];
          if (id == static_cast<Stored>(-1)) {
            continue;
          }
          if (static_cast<std::int64_t>(id) < 0 ||
              static_cast<std::size_t>(id) >= trace_.expert_count()) {
            throw_expert_out_of_range(trace_, chunk, row, static_cast<std::int64_t>(id));
          }
          rows.experts(first + row, choice) = static_cast<std::int32_t>(id);
        }
      }
    });
    if (rule_.is_on()) {
      const FloatRows weights = *trace_.gate_weights(chunk);
      for (std::size_t row = 0; row < ids.rows(); ++row) {
        weights.copy_row(row, weights_);
        rank_row(rows.experts.row(first + row), rows.needs.row(first + row));
      }
    }
    if (auto sequences = trace_.sequence_ids(chunk)) {
      rows.sequences.insert(rows.sequences.end(), sequences->begin(), sequences->end());
    }
  }

  // Sorts a token's experts by falling weight, empty choices last, and gives each its need.
  void rank_row(std::span<std::int32_t> experts, std::span<Need> needs) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t left, std::size_t right) {
      const bool has_left = experts[left] != kNoExpert;
      const bool has_right = experts[right] != kNoExpert;
      return has_left != has_right ? has_left : weights_[left] > weights_[right];
    });
    double total = 0;
    for (std::size_t choice = 0; choice < k_; ++choice) {
      total += experts[choice] != kNoExpert ? weights_[choice] : 0;
    }
    const std::vector<std::int32_t> before(experts.begin(), experts.end());
    double score = 0;
    for (std::size_t choice = 0; choice < k_; ++choice) {
      experts[choice] = before[order_[choice]];
      needs[choice] = rule_.need(total > 0 ? score / total : 0);
      score += weights_[order_[choice]];
    }
  }

  const RoutingTrace& trace_;
  PrecisionRule rule_;
  std::size_t k_;
  std::vector<float> weights_;      // [k] of one row
  std::vector<std::size_t> order_;  // [k]
};

class StreamBuilder {
 public:
  StreamBuilder(const RoutingTrace& trace, const BatchRule& batch)
      : trace_(trace), batch_(batch), seen_(trace.expert_count(), kUnseen) {
    stream_.experts = trace.expert_count();
    stream_.top_k = trace.top_k();
  }

  void add_step(std::int64_t step, std::span<const StepLayer> groups, LayerReader& reader) {
    std::vector<std::int64_t> numbers;
    std::vector<LayerRows> layers;
    for (const StepLayer& group : groups) {
      numbers.push_back(group.layer);
      layers.push_back(reader.read(group));
    }
    check_step(step, numbers, layers);
    const std::size_t tokens = layers.front().experts.rows();
    const std::size_t size = batch_.tokens == 0 ? std::max<std::size_t>(1, tokens) : batch_.tokens;
    const std::vector<std::uint32_t> order = token_order(layers.front(), size);
    for (std::size_t first = 0; first < tokens; first += size) {
      add_pass(layers, std::span(order).subspan(first, std::min(size, tokens - first)));
    }
  }

  AccessStream take() { return std::move(stream_); }

 private:
  static constexpr std::uint32_t kUnseen = UINT32_MAX;

  void check_step(std::int64_t step,
                  const std::vector<std::int64_t>& numbers,
                  const std::vector<LayerRows>& layers) {
    if (stream_.layer_numbers.empty()) {
      stream_.layer_numbers = numbers;
      stream_.layers = numbers.size();
    }
    if (numbers != stream_.layer_numbers) {
      throw InvalidInput(
          fmt::format(
              "step {} has {} layers, earlier steps have {}", step, numbers.size(), stream_.layers),
          trace_.where(),
          "offload follows tokens through all layers: every step needs the same");
    }
    for (std::size_t layer = 1; layer < layers.size(); ++layer) {
      if (layers[layer].experts.rows() != layers[0].experts.rows()) {
        throw InvalidInput(fmt::format("step {}: layer {} has {} tokens, layer {} has {}",
                                       step,
                                       numbers[0],
                                       layers[0].experts.rows(),
                                       numbers[layer],
                                       layers[layer].experts.rows()),
                           trace_.where(),
                           "offload follows tokens through all layers; mark those that skip one "
                           "as not alive");
      }
    }
  }

  [[nodiscard]] std::vector<std::uint32_t> token_order(const LayerRows& rows,
                                                       std::size_t size) const {
    if (batch_.is_expert_aware) {
      return expert_aware_order(rows.experts, stream_.experts, size, batch_.waiting);
    }
    std::vector<std::uint32_t> order(rows.experts.rows());
    std::iota(order.begin(), order.end(), 0U);
    return order;
  }

  void add_pass(const std::vector<LayerRows>& layers, std::span<const std::uint32_t> tokens) {
    const std::vector<std::int64_t>& sequences = layers.front().sequences;
    const std::optional<std::int64_t> sequence =
        sequences.empty() ? std::nullopt : std::optional(sequences[tokens.front()]);
    const bool is_first = stream_.pass_tokens.empty();
    stream_.starts_sequence.push_back(is_first || sequence != sequence_ ? 1 : 0);
    sequence_ = sequence;
    stream_.pass_tokens.push_back(static_cast<std::uint32_t>(tokens.size()));
    for (const LayerRows& rows : layers) {
      add_visit(rows, tokens);
    }
  }

  void add_visit(const LayerRows& rows, std::span<const std::uint32_t> tokens) {
    const std::size_t first = stream_.uses.size();
    for (const std::uint32_t token : tokens) {
      const auto experts = rows.experts.row(token);
      const auto needs = rows.needs.row(token);
      for (std::size_t choice = 0; choice < experts.size(); ++choice) {
        if (experts[choice] != kNoExpert &&
            static_cast<std::size_t>(experts[choice]) + batch_.free_experts < stream_.experts) {
          count(static_cast<std::uint32_t>(experts[choice]), needs[choice]);
        }
      }
    }
    const auto begin = stream_.uses.begin() + static_cast<std::ptrdiff_t>(first);
    for (auto use = begin; use != stream_.uses.end(); ++use) {
      seen_[use->expert] = kUnseen;
    }
    if (tokens.size() > 1) {
      std::sort(begin, stream_.uses.end(), [](const ExpertDemand& left, const ExpertDemand& right) {
        return std::tuple(right.need, right.tokens, left.expert) <
               std::tuple(left.need, left.tokens, right.expert);
      });
    }
    stream_.visit_starts.push_back(stream_.uses.size());
  }

  void count(std::uint32_t expert, Need need) {
    if (seen_[expert] == kUnseen) {
      seen_[expert] = static_cast<std::uint32_t>(stream_.uses.size() - stream_.visit_starts.back());
      stream_.uses.push_back({.expert = expert, .tokens = 0, .need = need});
    }
    ExpertDemand& use = stream_.uses[stream_.visit_starts.back() + seen_[expert]];
    ++use.tokens;
    use.need = std::max(use.need, need);
  }

  const RoutingTrace& trace_;
  BatchRule batch_;
  AccessStream stream_;
  std::vector<std::uint32_t> seen_;  // [experts] place in the visit being made
  std::optional<std::int64_t> sequence_;
};

}  // namespace

std::int64_t AccessStream::tokens() const {
  return std::accumulate(pass_tokens.begin(), pass_tokens.end(), std::int64_t{0});
}

AccessStream read_accesses(const RoutingTrace& trace,
                           const BatchRule& batch,
                           const PrecisionRule& precision,
                           const Progress& progress) {
  const std::vector<StepLayer>& groups = trace.step_layers();
  if (groups.empty()) {
    throw InvalidInput("has no rows", trace.where());
  }
  if (trace.metadata().merges_experts) {
    throw MissingCapability("the router merges experts by their weights: every expert is needed",
                            trace.where(),
                            "offload replays routers that choose experts");
  }
  if (trace.metadata().passes > 1) {
    throw MissingCapability(
        fmt::format("the router routes each token {} times", trace.metadata().passes),
        trace.where(),
        "offload follows a token through one selection a layer");
  }
  if (precision.is_on() && !trace.gate_weights(trace.chunks().front())) {
    require_fidelity(Fidelity::Ids, Fidelity::Weights, "precision by gate weight");
  }
  LayerReader reader(trace, precision);
  StreamBuilder builder(trace, batch);
  std::size_t first = 0;
  while (first < groups.size()) {
    throw_if_interrupted();
    std::size_t last = first;
    while (last < groups.size() && groups[last].step == groups[first].step) {
      ++last;
    }
    builder.add_step(groups[first].step, std::span(groups).subspan(first, last - first), reader);
    first = last;
    if (progress) {
      progress("reading accesses", static_cast<double>(first) / static_cast<double>(groups.size()));
    }
  }
  return builder.take();
}

std::vector<std::int64_t> next_uses(const AccessStream& stream) {
  std::vector<std::int64_t> next(stream.uses.size(), kNeverUsed);
  std::vector<std::int64_t> seen(stream.layers * stream.experts, kNeverUsed);
  for (std::size_t visit = stream.visits(); visit-- > 0;) {
    const std::size_t base = visit % stream.layers * stream.experts;
    for (std::size_t use = stream.visit_starts[visit + 1]; use-- > stream.visit_starts[visit];) {
      const std::size_t key = base + stream.uses[use].expert;
      next[use] = seen[key];
      seen[key] = static_cast<std::int64_t>(use);
    }
  }
  return next;
}

}  // namespace switchyard

// Lory (arXiv 2405.03133): no token is sent anywhere; a segment of a sequence merges the experts'
// parameters by soft weights and runs through the one expert that results. The weights of a segment
// follow from the mean hidden state of the segment before, so that no token looks ahead; the first
// segment of a sequence uses its own (in training without a gradient, section 3.2).
//
// Every token of a segment records the same experts and weights: what is merged, not where it goes.
// A schedule that reads such a trace moves no tokens and pays for the merge instead.
#include <numeric>

#include "kernels/device/executor_choice.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/hidden/clustered_gate.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/adaptive_clustering.hpp"
#include "kernels/stages/ordered_projection.hpp"

namespace switchyard {
namespace {

/// Segments of the sequences in a chunk of tokens.
struct Segments {
  std::vector<std::int32_t> starts;  // [segments + 1]
  std::vector<std::size_t> sources;  // [segments]: whose mean decides
};

class LoryRouter final : public Router {
 public:
  explicit LoryRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k",
                                   8,
                                   {1, 1024},
                                   "experts that a segment merges, the best ones; the paper merges "
                                   "all: set it to their number"))),
        length_(static_cast<std::size_t>(parameters.get_integer(
            "segment_length", 256, {1, std::int64_t{1} << 30}, "tokens of a segment"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  [[nodiscard]] ExpertUse expert_use() const override { return ExpertUse::Merged; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const Segments segments = segments_of(input);
    const std::size_t experts = input.gate.rows();
    const bool is_on_device = takes_gpu(executor_, experts, k_, kTopKRoom);
    const Matrix<float> means = is_on_device
                                    ? segment_means_on_device(input.hidden, segments.starts)
                                    : segment_means(input.hidden, segments.starts);
    Matrix<float> states(means.rows(), means.columns());
    for (std::size_t segment = 0; segment < states.rows(); ++segment) {
      std::ranges::copy(means.row(segments.sources[segment]), states.row(segment).begin());
    }
    return spread(is_on_device ? merge_on_device(states, input.gate) : merge(states, input.gate),
                  segments);
  }

 private:
  [[nodiscard]] Segments segments_of(const RouterInput& input) const {
    Segments segments;
    const std::size_t tokens = input.hidden.rows();
    std::size_t in_sequence = 0;
    for (std::size_t token = 0; token < tokens; ++token) {
      const bool is_first =
          token == 0 || (!input.sequence_ids.empty() &&
                         input.sequence_ids[token] != input.sequence_ids[token - 1]);
      in_sequence = is_first ? 0 : in_sequence + 1;
      if (in_sequence % length_ == 0) {
        const std::size_t segment = segments.sources.size();
        segments.sources.push_back(is_first ? segment : segment - 1);
        segments.starts.push_back(static_cast<std::int32_t>(token));
      }
    }
    segments.starts.push_back(static_cast<std::int32_t>(tokens));
    return segments;
  }

  [[nodiscard]] RoutingDecision merge(const Matrix<float>& states,
                                      MatrixView<const float> gate) const {
    Matrix<float> logits(states.rows(), gate.rows());
    project_in_order(states.view(), gate, logits.view());
    RoutingDecision merged = RoutingDecision::empty(states.rows(), k_);
    RowSelector selector(gate.rows(), k_);
    for (std::size_t segment = 0; segment < states.rows(); ++segment) {
      const auto ids = merged.expert_ids.row(segment);
      selector.select(logits.row(segment), ids);
      softmax_of_chosen(logits.row(segment), ids, merged.weights.row(segment));
    }
    return merged;
  }

  [[nodiscard]] RoutingDecision merge_on_device(const Matrix<float>& states,
                                                MatrixView<const float> gate) const {
    const Matrix<float> logits = project_on_device(states.view(), gate);
    return top_k_on_device(logits.view(), {.slots = k_});
  }

  /// Each token gets what its segment merges.
  [[nodiscard]] RoutingDecision spread(const RoutingDecision& merged,
                                       const Segments& segments) const {
    const auto tokens = static_cast<std::size_t>(segments.starts.back());
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    for (std::size_t segment = 0; segment < segments.sources.size(); ++segment) {
      const auto last = static_cast<std::size_t>(segments.starts[segment + 1]);
      for (auto token = static_cast<std::size_t>(segments.starts[segment]); token < last; ++token) {
        std::ranges::copy(merged.expert_ids.row(segment), decision.expert_ids.row(token).begin());
        std::ranges::copy(merged.weights.row(segment), decision.weights.row(token).begin());
      }
    }
    return decision;
  }

  std::size_t k_;
  std::size_t length_;
  Executor executor_;
};

const Register<Router, LoryRouter> kLory{
    "lory", "experts merged for a segment by soft weights of the segment before (Lory)"};

}  // namespace
}  // namespace switchyard

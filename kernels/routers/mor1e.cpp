// Instance-level routing as in Intuition-MoR1E (arXiv 2404.08985): all tokens of a sequence share
// one decision, made from the sequence's mean embedding. The gate is linear, so the mean of the
// tokens' logits is the logit of their mean. Without sequence ids the chunk is one sequence.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "kernels/device/device_array.hpp"
#include "kernels/device/group_means.hpp"
#include "kernels/device/router_math.cuh"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class MoR1ERouter final : public Router {
 public:
  explicit MoR1ERouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each sequence"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const Sequences sequences = sequences_of(input);
    const std::size_t experts = input.logits.columns();
    const std::size_t count = sequences.first.size() - 1;
    if (takes_gpu(executor_, experts, k_, kTopKRoom)) {
      return spread(route_on_device(input.logits, sequences), sequences);
    }
    RoutingDecision of_sequence = RoutingDecision::empty(count, k_);
    RowSelector selector(experts, k_);
    for (std::size_t sequence = 0; sequence < count; ++sequence) {
      const std::vector<float> logits = mean_logits(input.logits, sequences.members_of(sequence));
      const auto ids = of_sequence.expert_ids.row(sequence);
      selector.select(logits, ids);
      softmax_of_chosen(logits, ids, of_sequence.weights.row(sequence));
    }
    return spread(of_sequence, sequences);
  }

 private:
  /// The tokens of each sequence, in token order.
  struct Sequences {
    std::vector<std::int32_t> members;  ///< sequence after sequence
    std::vector<std::int32_t> first;    ///< [sequences + 1] where each starts in `members`

    [[nodiscard]] std::span<const std::int32_t> members_of(std::size_t sequence) const {
      return std::span(members).subspan(
          static_cast<std::size_t>(first[sequence]),
          static_cast<std::size_t>(first[sequence + 1] - first[sequence]));
    }
  };

  static Sequences sequences_of(const RouterInput& input) {
    std::map<std::int64_t, std::vector<std::int32_t>> tokens_of;
    for (std::size_t token = 0; token < input.logits.rows(); ++token) {
      tokens_of[input.sequence_ids.empty() ? 0 : input.sequence_ids[token]].push_back(
          static_cast<std::int32_t>(token));
    }
    Sequences sequences{.members = {}, .first = {0}};
    for (const auto& [id, tokens] : tokens_of) {
      sequences.members.insert(sequences.members.end(), tokens.begin(), tokens.end());
      sequences.first.push_back(static_cast<std::int32_t>(sequences.members.size()));
    }
    return sequences;
  }

  /// Every token gets the decision of its sequence.
  [[nodiscard]] RoutingDecision spread(const RoutingDecision& of_sequence,
                                       const Sequences& sequences) const {
    RoutingDecision decision = RoutingDecision::empty(sequences.members.size(), k_);
    for (std::size_t sequence = 0; sequence < of_sequence.expert_ids.rows(); ++sequence) {
      for (const std::int32_t member : sequences.members_of(sequence)) {
        const auto token = static_cast<std::size_t>(member);
        std::ranges::copy(of_sequence.expert_ids.row(sequence),
                          decision.expert_ids.row(token).begin());
        std::ranges::copy(of_sequence.weights.row(sequence), decision.weights.row(token).begin());
      }
    }
    return decision;
  }

  /// Two launches: the means, and their top-k.
  [[nodiscard]] RoutingDecision route_on_device(MatrixView<const float> logits,
                                                const Sequences& sequences) const {
    KernelDevice& device = current_device();
    const std::size_t count = sequences.first.size() - 1;
    RoutingDecision decision = RoutingDecision::empty(count, k_);
    const DeviceArray<float> values(device, logits.values());
    const DeviceArray<std::int32_t> members(device, sequences.members);
    const DeviceArray<std::int32_t> first(device, sequences.first);
    const DeviceArray<float> means(device, count * logits.columns());
    const DeviceArray<std::int32_t> ids(device, count * k_);
    const DeviceArray<float> weights(device, count * k_);
    const auto experts = static_cast<std::int32_t>(logits.columns());
    device.launch("switchyard_group_means",
                  static_cast<std::int32_t>(count),
                  kGroupMeanParts * kLanesOfWarp,
                  GroupMeanArguments{.values = values.address(),
                                     .members = members.address(),
                                     .first = first.address(),
                                     .means = means.address(),
                                     .columns = experts});
    launch_top_k(device,
                 {.tokens = static_cast<std::int32_t>(count),
                  .experts = experts,
                  .slots = static_cast<std::int32_t>(k_)},
                 {.logits = means.address(),
                  .expert_ids = ids.address(),
                  .gate_weights = weights.address()});
    ids.download(decision.expert_ids.values());
    weights.download(decision.weights.values());
    return decision;
  }

  /// Over the tokens whose logit for the expert is a finite number; NaN if there is none. The order
  /// of the sum is that of kernels/device/group_means.hpp.
  static std::vector<float> mean_logits(MatrixView<const float> logits,
                                        std::span<const std::int32_t> tokens) {
    std::vector<float> means(logits.columns(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t expert = 0; expert < means.size(); ++expert) {
      std::array<float, kGroupMeanParts> sums{};
      std::size_t count = 0;
      for (std::size_t at = 0; at < tokens.size(); ++at) {
        const float logit = logits(static_cast<std::size_t>(tokens[at]), expert);
        if (std::isfinite(logit)) {
          sums.at(at % kGroupMeanParts) += logit;
          ++count;
        }
      }
      if (count > 0) {
        means[expert] = pairwise_sum(sums.data(), kGroupMeanParts) / static_cast<float>(count);
      }
    }
    return means;
  }

  std::size_t k_;
  Executor executor_;
};

const Register<Router, MoR1ERouter> kMoR1E{
    "mor1e", "one decision for all tokens of a sequence (Intuition-MoR1E)"};

}  // namespace
}  // namespace switchyard

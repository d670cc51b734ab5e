// Adaptive Clustering router (ACMoE: "Tight Clusters Make Specialized Experts", ICLR 2025, arXiv
// 2502.15315; details from the authors' code). A token's cluster is its best expert in the layer
// before; the gate sees the token with each direction weighed by how tight that cluster is there:
//
//   logit[i, j] = < x_i .* W[c_i, :], e_j / |e_j| >
//
// The first layers, which have no clusters yet, are ordinary gates.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/adaptive_clustering.hpp"
#include "kernels/stages/gate_projection.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 2> kNormalisations{"language", "swin"};

class AdaptiveClusteringRouter final : public Router {
 public:
  explicit AdaptiveClusteringRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each token"))),
        normalisation_(parameters.get_choice("normalisation",
                                             "language",
                                             kNormalisations,
                                             "how cluster weights are clipped and normalised: as "
                                             "in the language or the Swin models") == "language"
                           ? ClusterNormalisation::Language
                           : ClusterNormalisation::Swin),
        plain_layers_(parameters.get_integer("plain_layers",
                                             2,
                                             {1, 1 << 20},
                                             "first MoE layers with an ordinary gate; the "
                                             "language models have 2, the least is 1")),
        unit_gate_(parameters.get_flag(
            "unit_gate", true, "scale each expert's gate row to length one, as the authors do")),
        mixes_(parameters.get_flag("mix",
                                   false,
                                   "weigh directions by all experts of the layer before, by their "
                                   "gate weights, instead of by the best one only")),
        compat_(parameters.get_flag("compat",
                                    false,
                                    "treat clusters of fewer than two tokens, and experts that "
                                    "were never used, exactly as the released code does")) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const bool is_plain = input.layer < plain_layers_ || input.previous_layer == nullptr;
    if (is_plain) {
      return choose(input.hidden, input.gate);
    }
    const Matrix<float> weighed = weigh(input);
    return choose(weighed.view(), input.gate);
  }

 private:
  /// hidden .* W, row by row.
  [[nodiscard]] Matrix<float> weigh(const RouterInput& input) const {
    const RoutingDecision& before = *input.previous_layer;
    const std::size_t tokens = input.hidden.rows();
    std::vector<std::int32_t> labels(tokens);
    std::int32_t highest = kNoExpert;
    for (std::size_t token = 0; token < tokens; ++token) {
      labels[token] = before.expert_ids(token, 0);
      highest = std::max(highest, *std::ranges::max_element(before.expert_ids.row(token)));
    }
    const Matrix<float> weights =
        cluster_weights(input.hidden,
                        labels,
                        input.gate.rows(),
                        {.normalisation = normalisation_,
                         .is_compatible = compat_,
                         .used_clusters = static_cast<std::size_t>(highest + 1)});
    Matrix<float> weighed(tokens, input.hidden.columns());
    for_each_token(
        tokens,
        [&] { return std::vector<float>(input.hidden.columns()); },
        [&](std::size_t token, std::vector<float>& scale) {
          if (labels[token] == kNoExpert) {
            std::ranges::copy(input.hidden.row(token), weighed.row(token).begin());
            return;
          }
          scale_of_token(before, token, weights, scale);
          for (std::size_t at = 0; at < scale.size(); ++at) {
            weighed(token, at) = input.hidden(token, at) * scale[at];
          }
        });
    return weighed;
  }

  void scale_of_token(const RoutingDecision& before,
                      std::size_t token,
                      const Matrix<float>& weights,
                      std::vector<float>& scale) const {
    if (!mixes_) {
      std::ranges::copy(weights.row(static_cast<std::size_t>(before.expert_ids(token, 0))),
                        scale.begin());
      return;
    }
    std::ranges::fill(scale, 0.0F);
    for (std::size_t slot = 0; slot < before.expert_ids.columns(); ++slot) {
      const std::int32_t expert = before.expert_ids(token, slot);
      if (expert == kNoExpert) {
        continue;
      }
      const auto row = weights.row(static_cast<std::size_t>(expert));
      for (std::size_t at = 0; at < scale.size(); ++at) {
        scale[at] += before.weights(token, slot) * row[at];
      }
    }
  }

  [[nodiscard]] RoutingDecision choose(MatrixView<const float> hidden,
                                       MatrixView<const float> gate) const {
    Matrix<float> rows(gate.rows(), gate.columns());
    for (std::size_t expert = 0; expert < gate.rows(); ++expert) {
      double square = 0;
      for (const float value : gate.row(expert)) {
        square += double{value} * double{value};
      }
      const auto factor =
          unit_gate_ && square > 0 ? static_cast<float>(1.0 / std::sqrt(square)) : 1.0F;
      for (std::size_t at = 0; at < gate.columns(); ++at) {
        rows(expert, at) = gate(expert, at) * factor;
      }
    }
    Matrix<float> logits(hidden.rows(), gate.rows());
    GateProjection(rows.view()).project(hidden, logits.view());
    RoutingDecision decision = RoutingDecision::empty(hidden.rows(), k_);
    for_each_token(
        hidden.rows(),
        [&] { return RowSelector(gate.rows(), k_); },
        [&](std::size_t token, RowSelector& selector) {
          const auto row = logits.row(token);
          if (compat_) {
            replace_non_finite(row);
          }
          selector.select(row, decision.expert_ids.row(token));
          softmax_of_chosen(row, decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

  /// As the released code: by the least finite logit, so that k experts are always found.
  static void replace_non_finite(std::span<float> row) {
    float least = std::numeric_limits<float>::infinity();
    for (const float logit : row) {
      least = std::isfinite(logit) ? std::min(least, logit) : least;
    }
    for (float& logit : row) {
      logit = std::isfinite(logit) ? logit : (std::isfinite(least) ? least : 0.0F);
    }
  }

  std::size_t k_;
  ClusterNormalisation normalisation_;
  std::int64_t plain_layers_;
  bool unit_gate_;
  bool mixes_;
  bool compat_;
};

const Register<Router, AdaptiveClusteringRouter> kAdaptiveClustering{
    "ac",
    "Adaptive Clustering: directions weighed by the tightness of the token's cluster (ACMoE)"};

}  // namespace
}  // namespace switchyard

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

#include "kernels/device/executor_choice.hpp"
#include "kernels/hidden/clustered_gate.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/isa_versions.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/adaptive_clustering.hpp"
#include "kernels/stages/ordered_projection.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 2> kNormalisations{"language", "swin"};
constexpr std::array<std::string_view, 2> kStatistics{"rank", "global"};

struct ProductJob {
  const float* a;
  const float* b;
  float* out;
  std::size_t count;
};

SWITCHYARD_ISA_BODY void multiply_body(const ProductJob& job) {
  for (std::size_t at = 0; at < job.count; ++at) {
    job.out[at] = job.a[at] * job.b[at];
  }
}

SWITCHYARD_ISA_VERSIONS(multiply, ProductJob)

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
                                    "were never used, exactly as the released code does")),
        is_global_(parameters.get_choice("statistics",
                                         "rank",
                                         kStatistics,
                                         "whose tokens make a cluster: those of the source rank, "
                                         "as the authors do, or of all ranks, which takes an "
                                         "allreduce in each layer") == "global"),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  [[nodiscard]] bool routes_all_ranks_together() const override { return is_global_; }

  /// Sums of values, then of deviations, for each cluster and direction.
  [[nodiscard]] RouterCollective collective(std::size_t experts,
                                            std::size_t hidden) const override {
    return is_global_ ? RouterCollective{.bytes = static_cast<std::int64_t>(2 * experts * hidden *
                                                                            sizeof(float)),
                                         .first_layer = plain_layers_}
                      : RouterCollective{};
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const bool is_plain = input.layer < plain_layers_ || input.previous_layer == nullptr;
    const Matrix<float> gate = scaled_gate(input.gate);
    const std::vector<std::int32_t> labels =
        is_plain ? std::vector<std::int32_t>() : labels_of(*input.previous_layer);
    const ClusteredGate request{.hidden = input.hidden,
                                .gate = gate.view(),
                                .before = is_plain ? nullptr : input.previous_layer,
                                .labels = labels,
                                .weights = options(is_plain ? nullptr : input.previous_layer),
                                .mixes = mixes_,
                                .replaces_non_finite = compat_,
                                .slots = k_};
    if (takes_gpu(executor_, gate.rows(), k_, kClusteredRoom)) {
      return route_clustered_on_device(request);
    }
    return route_on_cpu(request);
  }

 private:
  static std::vector<std::int32_t> labels_of(const RoutingDecision& before) {
    std::vector<std::int32_t> labels(before.expert_ids.rows());
    for (std::size_t token = 0; token < labels.size(); ++token) {
      labels[token] = before.expert_ids(token, 0);
    }
    return labels;
  }

  [[nodiscard]] ClusterWeightOptions options(const RoutingDecision* before) const {
    std::int32_t highest = kNoExpert;
    if (before != nullptr) {
      for (const std::int32_t expert : before->expert_ids.values()) {
        highest = std::max(highest, expert);
      }
    }
    return {.normalisation = normalisation_,
            .is_compatible = compat_,
            .used_clusters = static_cast<std::size_t>(highest + 1)};
  }

  [[nodiscard]] Matrix<float> scaled_gate(MatrixView<const float> gate) const {
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
    return rows;
  }

  [[nodiscard]] RoutingDecision route_on_cpu(const ClusteredGate& request) const {
    struct Scratch {
      OrderedProjector projector;
      Matrix<float> weighed;  // [kProjectedRows, width]
      Matrix<float> logits;   // [kProjectedRows, experts]
      RowSelector selector;
    };

    const std::size_t experts = request.gate.rows();
    const std::size_t width = request.gate.columns();
    Matrix<float> weights;
    if (request.before != nullptr) {
      weights = cluster_weights(request.hidden, request.labels, experts, request.weights);
    }
    RoutingDecision decision = RoutingDecision::empty(request.hidden.rows(), k_);
    for_each_group(
        request.hidden.rows(),
        kProjectedRows,
        [&] {
          return Scratch{OrderedProjector(request.gate),
                         Matrix<float>(kProjectedRows, width),
                         Matrix<float>(kProjectedRows, experts),
                         RowSelector(experts, k_)};
        },
        [&](std::size_t first, std::size_t count, Scratch& scratch) {
          const float* rows[kProjectedRows] = {};
          for (std::size_t row = 0; row < count; ++row) {
            rows[row] = weigh(request, weights, first + row, scratch.weighed.row(row));
          }
          scratch.projector.project(rows, count, scratch.logits.values().data());
          for (std::size_t row = 0; row < count; ++row) {
            const auto logits = scratch.logits.row(row);
            const auto ids = decision.expert_ids.row(first + row);
            if (compat_) {
              replace_non_finite(logits);
            }
            scratch.selector.select(logits, ids);
            softmax_of_chosen(logits, ids, decision.weights.row(first + row));
          }
        });
    return decision;
  }

  /// The token with its directions weighed, in `room` or, where there is nothing to weigh, itself.
  static const float* weigh(const ClusteredGate& request,
                            const Matrix<float>& weights,
                            std::size_t token,
                            std::span<float> room) {
    const float* const row = request.hidden.row(token).data();
    if (request.before == nullptr || request.labels[token] == kNoExpert) {
      return row;
    }
    if (request.mixes) {
      mix(*request.before, token, weights, room);
      multiply({row, room.data(), room.data(), room.size()});
    } else {
      const auto cluster = static_cast<std::size_t>(request.labels[token]);
      multiply({row, weights.row(cluster).data(), room.data(), room.size()});
    }
    return room.data();
  }

  static void mix(const RoutingDecision& before,
                  std::size_t token,
                  const Matrix<float>& weights,
                  std::span<float> mixture) {
    std::ranges::fill(mixture, 0.0F);
    for (std::size_t slot = 0; slot < before.expert_ids.columns(); ++slot) {
      const std::int32_t expert = before.expert_ids(token, slot);
      if (expert == kNoExpert) {
        continue;
      }
      const auto row = weights.row(static_cast<std::size_t>(expert));
      for (std::size_t at = 0; at < mixture.size(); ++at) {
        mixture[at] += before.weights(token, slot) * row[at];
      }
    }
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
  bool is_global_;
  Executor executor_;
};

const Register<Router, AdaptiveClusteringRouter> kAdaptiveClustering{
    "ac",
    "Adaptive Clustering: directions weighed by the tightness of the token's cluster (ACMoE)"};

}  // namespace
}  // namespace switchyard

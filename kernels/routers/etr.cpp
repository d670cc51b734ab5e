// Expert-Token Resonance ("LocMoE+", arXiv 2406.00023): token and expert choose each other. A token
// nominates the k experts of highest affinity (cosine with the expert's block of coordinates), then
// an expert keeps the best of those that nominated it, up to a capacity that follows from how
// concentrated the affinities are.
//
// The paper leaves open the threshold behind k, the unit of its capacity bound and how capacity is
// recomputed: here each is a parameter. It prints "Bottom-C" for the experts' choice but describes
// the highest affinities; the description is followed.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/device/executor_choice.hpp"
#include "kernels/hidden/grouped_pooling_launch.hpp"
#include "kernels/hidden/pooled_gate.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/grouped_pooling.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 3> kModes{"hybrid", "token", "expert"};
constexpr std::array<std::string_view, 3> kCapacities{"factor", "bound", "adaptive"};
constexpr std::array<std::string_view, 2> kUnits{"factor", "tokens"};

ResonanceMode mode_called(const std::string& name) {
  return name == "token"    ? ResonanceMode::Token
         : name == "expert" ? ResonanceMode::Expert
                            : ResonanceMode::Hybrid;
}

ResonanceCapacity capacity_called(const std::string& name) {
  return name == "factor"  ? ResonanceCapacity::Factor
         : name == "bound" ? ResonanceCapacity::Bound
                           : ResonanceCapacity::Adaptive;
}

class ResonanceRouter final : public Router {
 public:
  explicit ResonanceRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 1, {1, 1024}, "experts that a token nominates"))),
        mode_(mode_called(
            parameters.get_choice("mode",
                                  "hybrid",
                                  kModes,
                                  "hybrid: tokens nominate, experts choose among them; token: "
                                  "nominations only, no limit; expert: experts choose among all "
                                  "tokens, each token keeps its best k"))),
        capacity_(capacity_called(
            parameters.get_choice("capacity",
                                  "adaptive",
                                  kCapacities,
                                  "tokens an expert keeps. factor: capacity_factor; bound: "
                                  "the paper's lower bound; adaptive: the fewest that hold "
                                  "`theta` of the affinity, between those two"))),
        factor_(parameters.get_number("capacity_factor",
                                      1.1,
                                      {0.0, 1e6},
                                      "largest capacity over the mean nominations per expert")),
        theta_(parameters.get_number(
            "theta", 0.9, {0.0, 1.0}, "share of the summed affinity that adaptive keeps")),
        counts_tokens_(
            parameters.get_choice("bound_unit",
                                  "factor",
                                  kUnits,
                                  "what the paper's bound counts: a capacity factor or tokens") ==
            "tokens"),
        quantile_(parameters.get_number("quantile",
                                        0.99,
                                        {0.0, 1.0},
                                        "quantile over tokens that stands for the largest cosine "
                                        "in the bound, which outliers would blow up")),
        locality_(parameters),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    check_grouped_pooling(experts, hidden);
  }

  /// The cosines, which its capacity bound is made of.
  [[nodiscard]] Matrix<float> own_logits(MatrixView<const float> hidden,
                                         std::size_t experts) const override {
    return grouped_affinity(hidden, experts);
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::vector<float> bias = locality_.of_all(input.gate.rows(), input.source_rank);
    const ResonanceRequest request{.hidden = input.hidden,
                                   .bias = bias,
                                   .slots = k_,
                                   .mode = mode_,
                                   .rule = capacity_rule(input.hidden, bias.size())};
    return takes_gpu(executor_, bias.size(), k_, kPooledRoom) ? route_resonance_on_device(request)
                                                              : route_on_cpu(request);
  }

 private:
  [[nodiscard]] CapacityRule capacity_rule(MatrixView<const float> hidden,
                                           std::size_t experts) const {
    const auto tokens = static_cast<double>(hidden.rows());
    const double fair = tokens * static_cast<double>(k_) / static_cast<double>(experts);
    const double rank = std::ceil(quantile_ * tokens);
    return {.kind = capacity_,
            .tokens = static_cast<std::int32_t>(hidden.rows()),
            .most = static_cast<std::int32_t>(
                std::ceil(std::clamp(factor_ * fair, 1.0, std::max(1.0, tokens)))),
            .rank = static_cast<std::int32_t>(std::clamp(rank, 1.0, std::max(1.0, tokens))),
            .theta = static_cast<std::uint64_t>(std::round(theta_ * 0x1p32)),
            .width = static_cast<float>(hidden.columns()),
            .experts = static_cast<float>(experts),
            .fair = static_cast<float>(fair),
            .counts_tokens = counts_tokens_};
  }

  /// The best k scores of each token, weighed by softmax over them.
  [[nodiscard]] RoutingDecision best_of_tokens(const Matrix<float>& scores) const {
    RoutingDecision decision = RoutingDecision::empty(scores.rows(), k_);
    for_each_token(
        scores.rows(),
        [&] { return RowSelector(scores.columns(), k_); },
        [&](std::size_t token, RowSelector& selector) {
          const auto ids = decision.expert_ids.row(token);
          selector.select(scores.row(token), ids);
          softmax_of_chosen(scores.row(token), ids, decision.weights.row(token));
        });
    return decision;
  }

  [[nodiscard]] RoutingDecision route_on_cpu(const ResonanceRequest& request) const {
    const std::size_t experts = request.bias.size();
    const Matrix<float> affinity = grouped_affinity(request.hidden, experts);
    Matrix<float> scores(affinity.rows(), experts);
    for (std::size_t token = 0; token < scores.rows(); ++token) {
      for (std::size_t expert = 0; expert < experts; ++expert) {
        scores(token, expert) = affinity(token, expert) + request.bias[expert];
      }
    }
    if (mode_ == ResonanceMode::Token || scores.empty()) {
      return best_of_tokens(scores);
    }
    return best_of_tokens(kept_scores(request.rule, affinity, scores));
  }

  /// The scores of the pairs that experts keep, -infinity elsewhere.
  [[nodiscard]] Matrix<float> kept_scores(const CapacityRule& rule,
                                          const Matrix<float>& affinity,
                                          const Matrix<float>& scores) const {
    const std::size_t experts = affinity.columns();
    // For each expert its candidates by affinity; ties to the lower token.
    std::vector<std::vector<std::uint64_t>> candidates(experts);
    const auto nominate = [&](std::size_t token, std::size_t expert) {
      const std::uint64_t key =
          selection_key(affinity(token, expert), static_cast<std::uint32_t>(token));
      if (key != 0) {
        candidates[expert].push_back(key);
      }
    };
    const RoutingDecision nominations = mode_ == ResonanceMode::Hybrid
                                            ? best_of_tokens(scores)
                                            : RoutingDecision::empty(affinity.rows(), 0);
    for (std::size_t token = 0; token < affinity.rows(); ++token) {
      for (const std::int32_t expert : nominations.expert_ids.row(token)) {
        if (expert != kNoExpert) {
          nominate(token, static_cast<std::size_t>(expert));
        }
      }
      for (std::size_t expert = 0; mode_ == ResonanceMode::Expert && expert < experts; ++expert) {
        nominate(token, expert);
      }
    }
    const std::int32_t least = least_capacity(rule, quantile_of_highest(rule, affinity));
    Matrix<float> kept(affinity.rows(), experts, -std::numeric_limits<float>::infinity());
#pragma omp parallel for schedule(static) if (affinity.rows() >= kParallelFromTokens)
    for (std::size_t expert = 0; expert < experts; ++expert) {
      std::vector<std::uint64_t>& keys = candidates[expert];
      std::sort(keys.begin(), keys.end(), std::greater<>());
      const auto capacity =
          static_cast<std::size_t>(expert_capacity(rule, least, prefix_with_share(rule, keys)));
      keys.resize(std::min(keys.size(), capacity));
      for (const std::uint64_t key : keys) {
        const std::size_t token = expert_of_selection_key(key);
        kept(token, expert) = scores(token, expert);
      }
    }
    return kept;
  }

  /// The rank-th lowest of the tokens' highest affinities.
  static float quantile_of_highest(const CapacityRule& rule, const Matrix<float>& affinity) {
    std::vector<float> highest;
    for (std::size_t token = 0; token < affinity.rows(); ++token) {
      float best = 0.0F;
      for (const float value : affinity.row(token)) {
        best = highest_affinity(best, value);
      }
      highest.push_back(best);
    }
    const auto at = highest.begin() + rule.rank - 1;
    std::nth_element(highest.begin(), at, highest.end());
    return *at;
  }

  /// The fewest candidates, best first, whose affinities reach the share theta of all of them.
  static std::int32_t prefix_with_share(const CapacityRule& rule,
                                        const std::vector<std::uint64_t>& keys) {
    const auto affinity_of = [](std::uint64_t key) {
      return fixed_affinity(score_of_order_key(static_cast<std::uint32_t>(key >> 32)));
    };
    std::uint64_t total = 0;
    for (const std::uint64_t key : keys) {
      total += affinity_of(key);
    }
    const std::uint64_t target = share_of_affinity(total, rule.theta);
    std::uint64_t sum = 0;
    std::int32_t count = 0;
    while (sum < target) {
      sum += affinity_of(keys[static_cast<std::size_t>(count++)]);
    }
    return count;
  }

  std::size_t k_;
  ResonanceMode mode_;
  ResonanceCapacity capacity_;
  double factor_;
  double theta_;
  bool counts_tokens_;
  double quantile_;
  LocalityBias locality_;
  Executor executor_;
};

const Register<Router, ResonanceRouter> kResonance{
    "etr", "Expert-Token Resonance: token and expert choose each other (LocMoE+)"};

}  // namespace
}  // namespace switchyard

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
#include <limits>

#include "core/numbers/statistics.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/stages/expert_side.hpp"
#include "kernels/stages/grouped_pooling.hpp"

namespace switchyard {
namespace {

constexpr float kNotNominated = -std::numeric_limits<float>::infinity();
constexpr std::array<std::string_view, 3> kModes{"hybrid", "token", "expert"};
constexpr std::array<std::string_view, 3> kCapacities{"factor", "bound", "adaptive"};
constexpr std::array<std::string_view, 2> kUnits{"factor", "tokens"};

class ResonanceRouter final : public Router {
 public:
  explicit ResonanceRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 1, {1, 1024}, "experts that a token nominates"))),
        mode_(parameters.get_choice("mode",
                                    "hybrid",
                                    kModes,
                                    "hybrid: tokens nominate, experts choose among them; token: "
                                    "nominations only, no limit; expert: experts choose among all "
                                    "tokens, each token keeps its best k")),
        capacity_(parameters.get_choice("capacity",
                                        "adaptive",
                                        kCapacities,
                                        "tokens an expert keeps. factor: capacity_factor; bound: "
                                        "the paper's lower bound; adaptive: the fewest that hold "
                                        "`theta` of the affinity, between those two")),
        factor_(parameters.get_number("capacity_factor",
                                      1.1,
                                      {0.0, 1e6},
                                      "largest capacity over the mean nominations per expert")),
        theta_(parameters.get_number(
            "theta", 0.9, {0.0, 1.0}, "share of the summed affinity that adaptive keeps")),
        unit_(parameters.get_choice("bound_unit",
                                    "factor",
                                    kUnits,
                                    "what the paper's bound counts: a capacity factor or tokens")),
        quantile_(parameters.get_number("quantile",
                                        0.99,
                                        {0.0, 1.0},
                                        "quantile over tokens that stands for the largest cosine "
                                        "in the bound, which outliers would blow up")),
        locality_(parameters) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] bool needs_hidden() const override { return true; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    check_grouped_pooling(experts, hidden);
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.hidden.rows();
    const std::size_t experts = input.gate.rows();
    const Matrix<float> affinity = grouped_affinity(input.hidden, experts);
    const Matrix<float> candidates = nominations(affinity, input.source_rank);
    std::vector<std::size_t> capacity(experts, tokens);
    if (mode_ != "token" && tokens > 0) {
      capacity = capacities(affinity, candidates, input.hidden.columns());
    }
    RoutingDecision decision = by_token(best_tokens(candidates, capacity), candidates, k_);
    for_each_token(
        tokens,
        [] { return 0; },
        [&](std::size_t token, int) {
          softmax_of_chosen(
              affinity.row(token), decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

 private:
  /// Affinities from the experts' side, [experts, tokens]; kNotNominated for who is no candidate.
  [[nodiscard]] Matrix<float> nominations(const Matrix<float>& affinity,
                                          std::int64_t source_rank) const {
    struct Scratch {
      RowSelector selector;
      std::vector<float> biased;
      std::vector<std::int32_t> ids;
    };

    const std::size_t experts = affinity.columns();
    const bool all_are_candidates = mode_ == "expert";
    Matrix<float> candidates(experts, affinity.rows(), kNotNominated);
    for_each_token(
        affinity.rows(),
        [&] {
          return Scratch{
              RowSelector(experts, k_), std::vector<float>(experts), std::vector<std::int32_t>(k_)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            scratch.biased[expert] =
                affinity(token, expert) + locality_.of(expert, experts, source_rank);
            if (all_are_candidates) {
              candidates(expert, token) = scratch.biased[expert];
            }
          }
          if (!all_are_candidates) {
            scratch.selector.select(scratch.biased, scratch.ids);
            for (const std::int32_t id : scratch.ids) {
              if (id != kNoExpert) {
                const auto expert = static_cast<std::size_t>(id);
                candidates(expert, token) = scratch.biased[expert];
              }
            }
          }
        });
    return candidates;
  }

  [[nodiscard]] std::vector<std::size_t> capacities(const Matrix<float>& affinity,
                                                    const Matrix<float>& candidates,
                                                    std::size_t hidden) const {
    const std::size_t experts = affinity.columns();
    const auto tokens = static_cast<double>(affinity.rows());
    const double fair = tokens * static_cast<double>(k_) / static_cast<double>(experts);
    const auto whole = [tokens](double count) {
      return static_cast<std::size_t>(std::ceil(std::clamp(count, 1.0, tokens)));
    };
    const std::size_t most = whole(factor_ * fair);
    std::vector<std::size_t> all(experts, most);
    if (capacity_ == "factor") {
      return all;
    }
    const double bound = resonance_capacity_bound(experts, hidden, largest_cosine(affinity));
    const std::size_t least = whole(unit_ == "tokens" ? bound : bound * fair);
    if (capacity_ == "bound") {
      all.assign(experts, least);
      return all;
    }
    for (std::size_t expert = 0; expert < experts; ++expert) {
      // Where the bound exceeds the factor, the bound is what the experts need.
      all[expert] =
          std::clamp(prefix_with_share(candidates.row(expert)), least, std::max(least, most));
    }
    return all;
  }

  /// A quantile over tokens of each token's highest affinity, at least 0.
  [[nodiscard]] double largest_cosine(const Matrix<float>& affinity) const {
    std::vector<double> highest;
    for (std::size_t token = 0; token < affinity.rows(); ++token) {
      double best = 0;
      for (const float value : affinity.row(token)) {
        best = double{value} > best ? double{value} : best;
      }
      highest.push_back(std::min(best, 1.0));
    }
    return percentile(std::move(highest), quantile_);
  }

  /// The fewest candidates, best first, whose affinities reach the share theta of all of them.
  [[nodiscard]] std::size_t prefix_with_share(std::span<const float> candidates) const {
    std::vector<double> values;
    double total = 0;
    for (const float value : candidates) {
      if (value > 0) {
        values.push_back(double{value});
        total += double{value};
      }
    }
    std::sort(values.begin(), values.end(), std::greater<>());
    double sum = 0;
    std::size_t count = 0;
    while (count < values.size() && sum < theta_ * total) {
      sum += values[count++];
    }
    return count;
  }

  std::size_t k_;
  std::string mode_;
  std::string capacity_;
  double factor_;
  double theta_;
  std::string unit_;
  double quantile_;
  LocalityBias locality_;
};

const Register<Router, ResonanceRouter> kResonance{
    "etr", "Expert-Token Resonance: token and expert choose each other (LocMoE+)"};

}  // namespace
}  // namespace switchyard

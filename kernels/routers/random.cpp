// Experts drawn at random, whatever the token: uniform, or with the artificial skew of MoEShard's
// evaluation (Balmau et al. 2025, arXiv 2503.08467; authors' code), p[j] ~ 1 / experts + skew for
// the first `hot` experts. All weights are equal.
#include <algorithm>

#include "kernels/device/rows_on_device.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/token_random.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kRandomRouterPurpose = 0x72616e64;  // keeps this router's numbers apart

class RandomRouter final : public Router {
 public:
  explicit RandomRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts for each token"))),
        skew_(parameters.get_number(
            "skew", 0.0, {0.0, 1e6}, "weight that a hot expert has beyond 1 / experts")),
        hot_(static_cast<std::size_t>(parameters.get_integer(
            "hot", 0, {0, 1 << 20}, "number of hot experts, the first ones"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t experts = input.logits.columns();
    const double even = 1.0 / static_cast<double>(experts);
    std::vector<float> inverse_weight(experts, static_cast<float>(1.0 / even));
    std::fill_n(
        inverse_weight.begin(), std::min(hot_, experts), static_cast<float>(1.0 / (even + skew_)));
    const std::uint64_t key = chunk_key(input, kRandomRouterPurpose);
    if (takes_gpu(executor_, experts, k_, kRowRoom)) {
      RowsOnDevice rows(input.logits, k_);
      const DeviceArray<float> weights(rows.device(), inverse_weight);
      RowArguments arguments = rows.arguments();
      arguments.key = key;
      arguments.expert_terms = weights.address();
      rows.route("random", arguments);
      return rows.decision();
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), k_);

    struct Scratch {
      RowSelector selector;
      std::vector<float> scores;
    };

    for_each_token(
        input.logits.rows(),
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          // The k largest of log(u) / weight are a weighted draw without replacement (Efraimidis
          // and Spirakis 2006).
          for (std::size_t expert = 0; expert < experts; ++expert) {
            scratch.scores[expert] =
                log_lot_of(key, token * experts + expert) * inverse_weight[expert];
          }
          scratch.selector.select(scratch.scores, decision.expert_ids.row(token));
          std::ranges::fill(decision.weights.row(token), 1.0F / static_cast<float>(k_));
        });
    return decision;
  }

 private:
  std::size_t k_;
  double skew_;
  std::size_t hot_;
  Executor executor_;
};

const Register<Router, RandomRouter> kRandom{"random",
                                             "experts drawn at random, uniformly or with hot ones"};

}  // namespace
}  // namespace switchyard

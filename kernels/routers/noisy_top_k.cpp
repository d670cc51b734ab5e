// Noisy top-k gating (Shazeer et al. 2017, arXiv 1701.06538, equations 3 to 5): normal noise on the
// logits, the k best of the noisy ones, softmax over those. The paper learns the noise's size per
// expert; a trace holds no such weights, so one size serves all.
#include "kernels/device/rows_on_device.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"
#include "kernels/selection/token_random.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kNoisePurpose = 0x6e6f697379;  // keeps this router's numbers apart

class NoisyTopKRouter final : public Router {
 public:
  explicit NoisyTopKRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 2, {1, 1024}, "experts kept for each token"))),
        noise_(static_cast<float>(parameters.get_number(
            "noise", 1.0, {0, 1e6}, "standard deviation of the noise added to each logit"))),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    struct Scratch {
      RowSelector selector;
      std::vector<float> noisy;
    };

    const std::size_t experts = input.logits.columns();
    const std::uint64_t key = chunk_key(input, kNoisePurpose);
    if (takes_gpu(executor_, experts, k_, kRowRoom)) {
      RowsOnDevice rows(input.logits, k_);
      RowArguments arguments = rows.arguments();
      arguments.key = key;
      arguments.scale = noise_;
      rows.route("noisy_top_k", arguments);
      return rows.decision();
    }
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), k_);
    for_each_token(
        input.logits.rows(),
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            const float noise = normal_of(key, token * experts + expert) * noise_;
            scratch.noisy[expert] = input.logits(token, expert) + noise;
          }
          scratch.selector.select(scratch.noisy, decision.expert_ids.row(token));
          softmax_of_chosen(
              scratch.noisy, decision.expert_ids.row(token), decision.weights.row(token));
        });
    return decision;
  }

 private:
  std::size_t k_;
  float noise_;
  Executor executor_;
};

const Register<Router, NoisyTopKRouter> kNoisyTopK{
    "noisy_top_k", "the k best logits after seeded normal noise (Shazeer et al. 2017)"};

}  // namespace
}  // namespace switchyard

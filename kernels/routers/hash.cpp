// Hash layers (Roller et al. 2021, arXiv 2106.04426): the expert is a fixed hash of the token's
// vocabulary id, no gate at all. All weights are equal. Needs token ids.
#include <algorithm>

#include "core/numbers/mix_bits.hpp"
#include "kernels/device/rows_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

class HashRouter final : public Router {
 public:
  explicit HashRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 1, {1, 1024}, "experts for each token"))),
        differs_by_layer_(parameters.get_flag(
            "differs_by_layer", true, "use another hash in each layer instead of one for all")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    if (input.token_ids.size() != tokens) {
      throw InvalidInput("the hash router needs the token ids of the workload",
                         {},
                         "use a workload that has them, such as latent_clusters");
    }
    const std::size_t experts = input.logits.columns();
    const std::uint64_t layer =
        mix_bits(input.seed, differs_by_layer_ ? static_cast<std::uint64_t>(input.layer) : 0);
    if (takes_gpu(executor_, experts, k_, kRoom)) {
      RowsOnDevice rows(input.logits, k_);
      const DeviceArray<std::int64_t> token_ids(rows.device(), input.token_ids);
      RowArguments arguments = rows.arguments();
      arguments.token_ids = token_ids.address();
      arguments.key = layer;
      constexpr std::int32_t kThreads = kRowWarps * 32;
      rows.device().launch(
          "switchyard_hash", (arguments.tokens + kThreads - 1) / kThreads, kThreads, arguments);
      return rows.decision();
    }
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);
    for_each_token(
        tokens,
        [] { return 0; },
        [&](std::size_t token, int) {
          const std::uint64_t key =
              mix_bits(layer, static_cast<std::uint64_t>(input.token_ids[token]));
          choose(key, experts, decision.expert_ids.row(token));
          std::ranges::fill(decision.weights.row(token), 1.0F / static_cast<float>(k_));
        });
    return decision;
  }

 private:
  static constexpr KernelRoom kRoom{.experts = 1U << 20U, .slots = 1024};

  /// Distinct experts: a hash that repeats an earlier one is drawn again.
  static void choose(std::uint64_t key, std::size_t experts, std::span<std::int32_t> ids) {
    std::uint64_t attempt = 0;
    for (std::size_t slot = 0; slot < ids.size(); ++slot) {
      const auto earlier = ids.first(slot);
      do {
        ids[slot] = static_cast<std::int32_t>(mix_bits(key, attempt++) % experts);
      } while (std::find(earlier.begin(), earlier.end(), ids[slot]) != earlier.end());
    }
  }

  std::size_t k_;
  bool differs_by_layer_;
  Executor executor_;
};

const Register<Router, HashRouter> kHash{"hash",
                                         "a fixed hash of the token id (Roller et al. 2021)"};

}  // namespace
}  // namespace switchyard

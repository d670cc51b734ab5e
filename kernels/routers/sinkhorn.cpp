// Sinkhorn-balanced routing (S-BASE: Clark et al. 2022, arXiv 2202.01169, section 3.1, after BASE
// layers, arXiv 2103.16716): rows and columns of exp(logits) are scaled in turn until every expert
// has the same total and every token too; the k best of the balanced matrix are chosen, weighed by
// the ordinary softmax. Tokens without a valid logit stay out.
#include "kernels/routers/sinkhorn.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/device/expert_side_on_device.hpp"
#include "kernels/router.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

class SinkhornRouter final : public Router {
 public:
  explicit SinkhornRouter(Parameters& parameters)
      : k_(static_cast<std::size_t>(
            parameters.get_integer("k", 1, {1, 1024}, "experts kept for each token"))),
        rounds_(parameters.get_integer("rounds", 100, {1, 100000}, "most scaling rounds")),
        tolerance_(parameters.get_number(
            "tolerance", 1e-4, {0.0, 1.0}, "mean relative change at which scaling stops")),
        executor_(read_executor(parameters)) {}

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    const std::size_t tokens = input.logits.rows();
    const std::size_t experts = input.logits.columns();
    if (takes_gpu(executor_, experts, k_, kRowRoom)) {
      return route_on_device(input);
    }
    Matrix<float> share(tokens, experts);
    for_each_token(
        tokens,
        [] { return 0; },
        [&](std::size_t token, int) { softmax_row(input.logits.row(token), share.row(token)); });
    std::vector<float> log_scale = expert_scales(share);
    for (float& scale : log_scale) {
      scale = log_reproducible(scale);
    }
    RoutingDecision decision = RoutingDecision::empty(tokens, k_);

    struct Scratch {
      RowSelector selector;
      std::vector<float> balanced;
    };

    for_each_token(
        tokens,
        [&] {
          return Scratch{RowSelector(experts, k_), std::vector<float>(experts)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            // Where exp(logit) has vanished the logarithm still orders the experts.
            scratch.balanced[expert] = input.logits(token, expert) + log_scale[expert];
          }
          const auto ids = decision.expert_ids.row(token);
          scratch.selector.select(scratch.balanced, ids);
          take_chosen(share.row(token), ids, decision.weights.row(token));
        });
    return decision;
  }

 private:
  [[nodiscard]] float most_change(std::size_t experts) const {
    return static_cast<float>(tolerance_ * static_cast<double>(experts));
  }

  [[nodiscard]] RoutingDecision route_on_device(const RouterInput& input) const {
    constexpr std::int64_t kRoundsBetweenLooks = 8;
    const std::size_t experts = input.logits.columns();
    const std::size_t chunks = (input.logits.rows() + kSinkhornTokens - 1) / kSinkhornTokens;
    RowsOnDevice rows(input.logits, k_);
    KernelDevice& device = rows.device();
    RowArguments arguments = rows.arguments();
    const DeviceArray<float> share(device, input.logits.values().size());
    const DeviceArray<float> scale(device, std::vector<float>(experts, 1.0F));
    const DeviceArray<float> log_scale(device, std::vector<float>(experts, 0.0F));
    const DeviceArray<float> column_sums(device, chunks * experts);
    const DeviceArray<std::int32_t> counted(device, chunks);
    const DeviceArray<std::uint8_t> is_balanced(device, std::vector<std::uint8_t>{0});
    arguments.table = share.address();
    fill_score_table(device, "sinkhorn", arguments);
    const SinkhornArguments scaling{.share = share.address(),
                                    .scale = scale.address(),
                                    .log_scale = log_scale.address(),
                                    .column_sums = column_sums.address(),
                                    .counted = counted.address(),
                                    .is_balanced = is_balanced.address(),
                                    .tokens = arguments.tokens,
                                    .experts = arguments.experts,
                                    .most_change = most_change(experts)};
    for (std::int64_t round = 0; round < rounds_ && chunks > 0; ++round) {
      // Balanced rounds do nothing; looking each time would cost more than some of those.
      if (round % kRoundsBetweenLooks == 0 && is_balanced.values().front() != 0) {
        break;
      }
      device.launch("switchyard_sinkhorn_tokens",
                    static_cast<std::int32_t>(chunks),
                    kSinkhornTokens,
                    scaling);
      device.launch("switchyard_sinkhorn_experts", 1, kSinkhornScaleThreads, scaling);
    }
    arguments.expert_terms = log_scale.address();
    rows.route("sinkhorn", arguments);
    return rows.decision();
  }

  /// Factors of the columns; a token's own factor does not change its order of experts. Chunks may
  /// run on any thread, each sum keeps its order.
  [[nodiscard]] std::vector<float> expert_scales(const Matrix<float>& share) const {
    const std::size_t experts = share.columns();
    const std::size_t chunks = (share.rows() + kSinkhornTokens - 1) / kSinkhornTokens;
    std::vector<float> scale(experts, 1.0F);
    Matrix<float> columns(chunks, experts);
    std::vector<std::size_t> counted(chunks);
    for (std::int64_t round = 0; round < rounds_ && chunks > 0; ++round) {
#pragma omp parallel for schedule(static)
      for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
        counted[chunk] = sum_chunk(share, chunk, scale, columns.row(chunk));
      }
      const std::size_t all = std::accumulate(counted.begin(), counted.end(), std::size_t{0});
      const float fair = static_cast<float>(all) / static_cast<float>(experts);
      std::vector<float> changes(experts);
      for (std::size_t expert = 0; expert < experts; ++expert) {
        float column = 0.0F;
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
          column += columns(chunk, expert);
        }
        const float next = next_scale(scale[expert], column, fair);
        changes[expert] = relative_change(scale[expert], next);
        scale[expert] = next;
      }
      if (pairwise_sum(changes.data(), static_cast<int>(experts)) <= most_change(experts)) {
        break;
      }
    }
    return scale;
  }

  /// One chunk's part of the column sums; returns its tokens that have a valid logit.
  static std::size_t sum_chunk(const Matrix<float>& share,
                               std::size_t chunk,
                               std::span<const float> scale,
                               std::span<float> columns) {
    const std::size_t first = chunk * kSinkhornTokens;
    const std::size_t tokens = std::min<std::size_t>(kSinkhornTokens, share.rows() - first);
    Matrix<float> terms(kSinkhornTokens, scale.size());  // rows beyond the last token stay 0
    std::size_t counted = 0;
    for (std::size_t token = 0; token < tokens; ++token) {
      const auto shares = share.row(first + token);
      float row = 0.0F;
      for (std::size_t expert = 0; expert < scale.size(); ++expert) {
        row += shares[expert] * scale[expert];
      }
      const float inverse = inverse_of_row(row);
      counted += inverse > 0.0F ? 1 : 0;
      for (std::size_t expert = 0; expert < scale.size(); ++expert) {
        terms(token, expert) = shares[expert] * inverse;
      }
    }
    for (std::size_t distance = 1; distance < kSinkhornTokens; distance *= 2) {
      for (std::size_t token = 0; token < kSinkhornTokens; token += 2 * distance) {
        for (std::size_t expert = 0; expert < scale.size(); ++expert) {
          terms(token, expert) += terms(token + distance, expert);
        }
      }
    }
    std::ranges::copy(terms.row(0), columns.begin());
    return counted;
  }

  std::size_t k_;
  std::int64_t rounds_;
  double tolerance_;
  Executor executor_;
};

const Register<Router, SinkhornRouter> kSinkhorn{
    "sinkhorn", "top-k of the logits after balancing experts by Sinkhorn scaling (S-BASE)"};

}  // namespace
}  // namespace switchyard

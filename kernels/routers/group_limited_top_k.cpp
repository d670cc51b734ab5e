// Group-limited routing (DeepSeek-V2, arXiv 2405.04434, section 2.2.2; V3, arXiv 2412.19437,
// section 2.1.2): experts lie in equal groups, one group a node; a token may only use its best
// groups, which bounds the nodes it is sent to. V2 ranks groups by their best softmax score, V3 by
// the sum of the two best biased sigmoid scores.
#include <algorithm>
#include <array>
#include <limits>

#include "kernels/device/device_array.hpp"
#include "kernels/device/executor_choice.hpp"
#include "kernels/device/group_top_k_on_device.hpp"
#include "kernels/device/token_count.hpp"
#include "kernels/selection/parallel_rows.hpp"
#include "kernels/selection/row_selection.hpp"
#include "kernels/selection/selection_bias.hpp"
#include "kernels/selection/softmax.hpp"

namespace switchyard {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::array<std::string_view, 2> kScores{"sigmoid", "softmax"};
constexpr std::array<std::string_view, 2> kGroupScores{"best_two", "best"};

class GroupLimitedTopKRouter final : public Router {
 public:
  explicit GroupLimitedTopKRouter(Parameters& parameters)
      : k_(size(parameters, "k", 8, "experts kept for each token")),
        groups_(size(parameters, "groups", 8, "equal groups of consecutive experts")),
        kept_groups_(size(parameters, "kept_groups", 4, "groups a token may use")),
        is_sigmoid_(parameters.get_choice(
                        "score", "sigmoid", kScores, "what turns logits into scores") == "sigmoid"),
        sums_two_(parameters.get_choice("group_score",
                                        "best_two",
                                        kGroupScores,
                                        "score of a group: its best expert, or the sum of its two "
                                        "best") == "best_two"),
        renormalise_(parameters.get_flag(
            "renormalise", true, "divide the kept scores by their sum, so that they sum to one")),
        scale_(static_cast<float>(
            parameters.get_number("scale", 1.0, {0, 1e6}, "factor on every weight"))),
        bias_(parameters),
        executor_(read_executor(parameters)) {
    if (kept_groups_ > groups_) {
      throw InvalidInput("more groups are kept than there are",
                         parameters.where().child("kept_groups"),
                         "lower kept_groups or raise groups");
    }
  }

  [[nodiscard]] std::size_t top_k() const override { return k_; }

  void check_shape(std::size_t experts, std::size_t hidden) const override {
    Router::check_shape(experts, hidden);
    bias_.check_experts(experts);
    if (experts % groups_ != 0) {
      throw InvalidInput(std::to_string(experts) + " experts do not fall into " +
                             std::to_string(groups_) + " equal groups",
                         {},
                         "choose a number of groups that divides the number of experts");
    }
    if (experts / groups_ * kept_groups_ < k_) {
      throw InvalidInput("the kept groups hold fewer than k = " + std::to_string(k_) + " experts",
                         {},
                         "raise kept_groups or lower k");
    }
  }

  [[nodiscard]] RoutingDecision route(const RouterInput& input) const override {
    if (takes_gpu(executor_, input.logits.columns(), k_, kernel_room(input.logits.columns()))) {
      return route_on_device(input);
    }
    Matrix<float> scores(input.logits.rows(), input.logits.columns());
    for_each_token(
        scores.rows(),
        [] { return 0; },
        [&](std::size_t token, int) {
          if (is_sigmoid_) {
            sigmoid_row(input.logits.row(token), scores.row(token));
          } else {
            softmax_row(input.logits.row(token), scores.row(token));
          }
        });
    RoutingDecision decision = RoutingDecision::empty(scores.rows(), k_);
    std::vector<float> bias = bias_.start(scores.columns());
    select(input, scores, bias, decision);
    for (std::int64_t round = 0; round < bias_.rounds(); ++round) {
      bias_.update(decision.expert_ids.values(), bias);
      select(input, scores, bias, decision);
    }
    return decision;
  }

 private:
  struct Scratch {
    RowSelector groups;
    RowSelector experts;
    std::vector<float> biased;
    std::vector<float> group_scores;
    std::vector<std::int32_t> kept;
  };

  /// The kernels know sigmoid scores only, and groups that fit into their lanes.
  [[nodiscard]] KernelRoom kernel_room(std::size_t experts) const {
    const GroupTopKPlan plan = plan_group_top_k({.tokens = 1,
                                                 .experts = static_cast<std::int32_t>(experts),
                                                 .slots = static_cast<std::int32_t>(k_)},
                                                static_cast<std::int32_t>(groups_),
                                                1);
    const bool has_kernel = is_sigmoid_ && plan.most_of_lane > 0;
    return {.experts = has_kernel ? experts : 0, .slots = has_kernel ? k_ : 0};
  }

  [[nodiscard]] RoutingDecision route_on_device(const RouterInput& input) const {
    KernelDevice& device = current_device();
    RoutingDecision decision = RoutingDecision::empty(input.logits.rows(), k_);
    std::vector<float> bias = bias_.start(input.logits.columns());
    const DeviceArray<float> rows(device, input.logits.values());
    DeviceArray<float> terms(device, bias);
    const DeviceArray<std::int32_t> ids(device, decision.expert_ids.values().size());
    const DeviceArray<float> weights(device, decision.weights.values().size());
    for (std::int64_t round = 0; round <= bias_.rounds(); ++round) {
      if (round > 0) {
        bias_.update(decision.expert_ids.values(), bias);
        terms.upload(bias);
      }
      launch_group_top_k(device,
                         {.tokens = device_token_count(input.logits.rows()),
                          .experts = static_cast<std::int32_t>(input.logits.columns()),
                          .slots = static_cast<std::int32_t>(k_)},
                         {.logits = rows.address(),
                          .bias = terms.address(),
                          .expert_ids = ids.address(),
                          .gate_weights = weights.address(),
                          .groups = static_cast<std::int32_t>(groups_),
                          .kept_groups = static_cast<std::int32_t>(kept_groups_),
                          .scale = scale_,
                          .sums_best_two = sums_two_,
                          .is_renormalised = renormalise_});
      ids.download(decision.expert_ids.values());
    }
    weights.download(decision.weights.values());
    return decision;
  }

  static std::size_t size(Parameters& parameters,
                          const std::string& name,
                          std::int64_t default_value,
                          const std::string& sentence) {
    return static_cast<std::size_t>(
        parameters.get_integer(name, default_value, {1, 1024}, sentence));
  }

  void select(const RouterInput& input,
              const Matrix<float>& scores,
              const std::vector<float>& bias,
              RoutingDecision& decision) const {
    const std::size_t experts = scores.columns();
    for_each_token(
        scores.rows(),
        [&] {
          return Scratch{.groups = RowSelector(groups_, kept_groups_),
                         .experts = RowSelector(experts, k_),
                         .biased = std::vector<float>(experts),
                         .group_scores = std::vector<float>(groups_),
                         .kept = std::vector<std::int32_t>(kept_groups_)};
        },
        [&](std::size_t token, Scratch& scratch) {
          for (std::size_t expert = 0; expert < experts; ++expert) {
            const bool is_valid = input.logits(token, expert) > kMinusInfinity;
            scratch.biased[expert] =
                is_valid ? scores(token, expert) + bias[expert] : kMinusInfinity;
          }
          mask_other_groups(scratch);
          const auto ids = decision.expert_ids.row(token);
          scratch.experts.select(scratch.biased, ids);
          weigh(scores.row(token), ids, decision.weights.row(token));
        });
  }

  /// Leaves the scores of the best groups, makes all others invalid.
  void mask_other_groups(Scratch& scratch) const {
    const std::size_t width = scratch.biased.size() / groups_;
    for (std::size_t group = 0; group < groups_; ++group) {
      scratch.group_scores[group] =
          score_of_group(std::span(scratch.biased).subspan(group * width, width));
    }
    scratch.groups.select(scratch.group_scores, scratch.kept);
    for (std::size_t group = 0; group < groups_; ++group) {
      const auto id = static_cast<std::int32_t>(group);
      if (std::find(scratch.kept.begin(), scratch.kept.end(), id) == scratch.kept.end()) {
        std::fill_n(scratch.biased.begin() + static_cast<std::ptrdiff_t>(group * width),
                    width,
                    kMinusInfinity);
      }
    }
  }

  /// A group without a valid expert is not valid; a second best that is missing adds nothing.
  [[nodiscard]] float score_of_group(std::span<const float> biased) const {
    float best = kMinusInfinity;
    float second = kMinusInfinity;
    for (const float score : biased) {
      second = score > best ? best : (score > second ? score : second);
      best = score > best ? score : best;
    }
    return sums_two_ && second > kMinusInfinity ? best + second : best;
  }

  void weigh(std::span<const float> scores,
             std::span<const std::int32_t> ids,
             std::span<float> weights) const {
    take_chosen(scores, ids, weights);
    if (renormalise_) {
      normalise_row(weights);
    }
    for (float& weight : weights) {
      weight *= scale_;
    }
  }

  std::size_t k_;
  std::size_t groups_;
  std::size_t kept_groups_;
  bool is_sigmoid_;
  bool sums_two_;
  bool renormalise_;
  float scale_;
  SelectionBias bias_;
  Executor executor_;
};

const Register<Router, GroupLimitedTopKRouter> kGroupLimitedTopK{
    "group_limited_top_k", "top-k within each token's best expert groups (DeepSeek-V2 and V3)"};

}  // namespace
}  // namespace switchyard

// Capacity from the tokens themselves: the lower bounds of Expert-Token Resonance (arXiv
// 2406.00023, remark 7) and LocMoE (arXiv 2401.13920) for the largest cosine m between a token and
// an expert's gate vector, anew at every layer and group. The trace's logits must be cosines, as
// those of the router `etr` are. The bounds grow exponentially in m, so a quantile stands for the
// maximum, and the capacity is clamped to [minimum, tokens].
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/numbers/statistics.hpp"
#include "kernels/stages/grouped_pooling.hpp"
#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 2> kForms{"etr", "locmoe"};
constexpr std::array<std::string_view, 2> kUnits{"share", "tokens"};

class EtrBound final : public CapacityPolicy {
 public:
  explicit EtrBound(Parameters& parameters)
      : factor_(parameters.get_number(
            "factor", 1, {1e-6, 1e6}, "the capacity is this many times the bound")),
        is_locmoe_(parameters.get_choice("form", "etr", kForms, "whose bound") == "locmoe"),
        is_share_(parameters.get_choice(
                      "unit",
                      "share",
                      kUnits,
                      "what the bound counts, on which the papers are silent: a share of the "
                      "group's choices (at m = 0 an even share for each expert), or tokens") ==
                  "share"),
        quantile_(parameters.get_number(
            "quantile", 0.5, {0, 1}, "of the tokens' largest cosines, taken as m")),
        hidden_(parameters.get_integer(
            "hidden", 0, {0, 1 << 20}, "width d in the bound; 0 = the model's")),
        minimum_(parameters.get_integer("minimum", 1, {1, 1 << 30}, "fewest slots per expert")),
        is_padded_(parameters.get_flag("pad", false, "send every slot, filled or not")),
        queue_(parameters, "choice", /*may_share=*/false),
        where_(parameters.where()) {}

  [[nodiscard]] bool needs_weights() const override {
    return queue_.order() == SlotQueue::Order::Weight;
  }

  [[nodiscard]] bool needs_logits() const override { return true; }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    CapacityOutcome outcome;
    std::vector<std::int64_t> by_rank(tokens.ranks, 0);
    queue_.for_each_group(tokens, [&](const TokenGroup& group) {
      const std::int64_t slots = slots_of(tokens, group);
      by_rank[static_cast<std::size_t>(group.rank)] = slots;
      keep_while_room(group, std::vector<std::int64_t>(tokens.experts, slots), tokens, outcome);
    });
    if (is_padded_) {
      outcome.padded_slots = by_rank;
      for (const std::int64_t slots : by_rank) {
        outcome.padded += slots * static_cast<std::int64_t>(tokens.experts);
      }
      outcome.padded -= outcome.kept;
    }
    return outcome;
  }

 private:
  [[nodiscard]] std::int64_t slots_of(const LayerTokens& tokens, const TokenGroup& group) const {
    std::vector<double> cosines;
    std::size_t last_row = std::numeric_limits<std::size_t>::max();
    for (const Pair& pair : group.pairs) {
      if (pair.row == last_row) {
        continue;
      }
      last_row = pair.row;
      const auto logits = tokens.logits.row(pair.row);
      const double largest = *std::max_element(logits.begin(), logits.end());
      if (!(largest <= 1.001)) {
        throw InvalidInput(
            fmt::format("a logit of {:.4g} at layer {} is no cosine, which the bound "
                        "wants",
                        largest,
                        tokens.layer),
            where_,
            "use a trace of the router etr (switchyard route --router etr "
            "--logits), or another capacity policy");
      }
      cosines.push_back(std::clamp(largest, 0.0, 1.0));
    }
    const double cosine = percentile(std::move(cosines), quantile_);
    const auto width = hidden_ > 0 ? static_cast<std::size_t>(hidden_) : tokens.hidden;
    const double bound = is_locmoe_ ? locmoe_capacity_bound(tokens.experts, width, cosine)
                                    : resonance_capacity_bound(tokens.experts, width, cosine);
    const double unit = is_share_ ? static_cast<double>(group.tokens) *
                                        static_cast<double>(tokens.expert_ids.columns())
                                  : 1.0;
    const auto most = static_cast<double>(group.tokens);
    const double slots = std::min(most, factor_ * bound * unit);  // the bound may be infinite
    return std::max(minimum_, whole_slots(slots));
  }

  double factor_;
  bool is_locmoe_;
  bool is_share_;
  double quantile_;
  std::int64_t hidden_;
  std::int64_t minimum_;
  bool is_padded_;
  SlotQueue queue_;
  Location where_;
};

const Register<CapacityPolicy, EtrBound> kEtrBound{
    "etr_bound", "capacity by the bound of ETR or LocMoE, layer by layer (needs cosines)"};

}  // namespace
}  // namespace switchyard

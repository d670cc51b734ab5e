// The shared experts run while tokens are on their way: they need no exchange.
#include <algorithm>
#include <optional>

#include "sim/overlap.hpp"

namespace switchyard {
namespace {

/// DeepSpeed-MoE's residual branch (Rajbhandari et al., ICML 2022) and DeepSeek's shared experts as
/// Megatron-Core's --moe-shared-expert-overlap runs them.
class SharedExpertOverlap final : public Overlap {
 public:
  explicit SharedExpertOverlap(Parameters& /*parameters*/) {}

  [[nodiscard]] std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const override {
    const auto shared = std::find_if(stages.begin(), stages.end(), [](const Stage& stage) {
      return stage.kind == StageKind::SharedExperts;
    });
    if (shared == stages.end()) {
      return in_sequence(stages);
    }
    const auto place = static_cast<std::size_t>(shared - stages.begin());
    // Before the exchange in a forward pass, after it in a backward pass: in both it may start with
    // the first exchange.
    const StageRange part = expert_part(stages);
    const std::size_t partner = place < part.first ? place + 1 : part.first;
    std::vector<PlannedPhase> phases;
    std::optional<std::size_t> previous;
    for (std::size_t stage = 0; stage < stages.size(); ++stage) {
      if (stage == place) {
        continue;
      }
      const std::optional<std::size_t> before = previous;
      phases.push_back({.stage = stage, .share = {}, .after = {}});
      if (before) {
        phases.back().after = {*before};
      }
      previous = phases.size() - 1;
      if (stage == partner) {
        phases.push_back({.stage = place, .share = {}, .after = {}});
        if (before) {
          phases.back().after = {*before};
        }
      }
    }
    return phases;
  }
};

const Register<Overlap, SharedExpertOverlap> kSharedExpert{
    "shared_expert", "shared experts while tokens are dispatched"};

}  // namespace
}  // namespace switchyard

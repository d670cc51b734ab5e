// No limit: every chosen pair is computed (MegaBlocks, DeepSeek-V3, today's inference engines).
#include "sim/capacity.hpp"

namespace switchyard {
namespace {

class Dropless final : public CapacityPolicy {
 public:
  explicit Dropless(Parameters& /*parameters*/) {}

  [[nodiscard]] bool keeps_everything() const override { return true; }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    CapacityOutcome outcome;
    for (const std::int32_t expert : tokens.expert_ids.values()) {
      outcome.pairs += expert >= 0 ? 1 : 0;
    }
    outcome.kept = outcome.pairs;
    return outcome;
  }
};

const Register<CapacityPolicy, Dropless> kDropless{"dropless",
                                                   "no limit: every choice is computed"};

}  // namespace
}  // namespace switchyard

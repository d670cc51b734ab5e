// Drop-and-pad (GShard, Switch, DeepSpeed-MoE): every (source rank, expert) sends exactly its
// capacity in slots, so bytes and compute depend on the capacity factor alone, never on skew.
#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"

namespace switchyard {
namespace {

class DropAndPad final : public CapacityPolicy {
 public:
  explicit DropAndPad(Parameters& parameters) : limit_(parameters, /*may_share=*/false) {}

  [[nodiscard]] bool needs_weights() const override {
    return limit_.queue().order() == SlotQueue::Order::Weight;
  }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    CapacityOutcome outcome = drop_over_limit(limit_, tokens);
    outcome.padded_slots = limit_.slots_by_rank(tokens);
    std::int64_t slots = 0;
    for (const std::int64_t of_rank : outcome.padded_slots) {
      slots += of_rank * static_cast<std::int64_t>(tokens.experts);
    }
    outcome.padded = slots - outcome.kept;
    return outcome;
  }

 private:
  CapacityLimit limit_;
};

const Register<CapacityPolicy, DropAndPad> kDropAndPad{
    "drop_and_pad", "drop over capacity and pad up to it: equal splits whatever the skew"};

}  // namespace
}  // namespace switchyard

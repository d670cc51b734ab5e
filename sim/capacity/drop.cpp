// Pairs over their expert's capacity are dropped; what is kept is sent as is, without padding.
#include "sim/capacity.hpp"
#include "sim/capacity_slots.hpp"

namespace switchyard {
namespace {

class Drop final : public CapacityPolicy {
 public:
  explicit Drop(Parameters& parameters) : limit_(parameters, /*may_share=*/true) {}

  [[nodiscard]] bool needs_weights() const override {
    return limit_.queue().order() == SlotQueue::Order::Weight;
  }

  [[nodiscard]] CapacityOutcome apply(LayerTokens& tokens) const override {
    return drop_over_limit(limit_, tokens);
  }

 private:
  CapacityLimit limit_;
};

const Register<CapacityPolicy, Drop> kDrop{"drop", "drop what exceeds an expert's capacity"};

}  // namespace
}  // namespace switchyard

// The usual one: tokens to their experts, experts, results back. Dropless or, with a padding
// capacity policy, of equal parts.
#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// GShard (Lepikhin et al., ICLR 2021), section 2.2; every expert-parallel framework since.
class TwoAllToAll final : public LayerSchedule {
 public:
  explicit TwoAllToAll(Parameters& /*parameters*/) {}

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    std::vector<Stage> stages;
    stages.push_back(exchange_stage(context, Direction::Dispatch));
    stages.push_back(routed_experts_stage(context));
    stages.push_back(exchange_stage(context, Direction::Combine));
    return stages;
  }
};

const Register<LayerSchedule, TwoAllToAll> kTwoAllToAll{
    "two_all_to_all", "tokens to their experts and results back; padded if the capacity pads"};

}  // namespace
}  // namespace switchyard

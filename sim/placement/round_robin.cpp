// Expert e on rank e mod R: neighbours, which are often hot together, end up on different ranks.
#include "sim/placement.hpp"

namespace switchyard {
namespace {

class RoundRobin final : public PlacementRule {
 public:
  explicit RoundRobin(Parameters& /*parameters*/) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    LayerPlacement layer;
    for (std::size_t expert = 0; expert < input.experts; ++expert) {
      layer.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
      layer.slot_to_rank.push_back(static_cast<std::int32_t>(expert % input.ranks));
    }
    return {std::vector<LayerPlacement>(input.layers.size(), layer)};
  }
};

const Register<PlacementRule, RoundRobin> kRoundRobin{"round_robin",
                                                      "expert e on rank e mod ranks"};

}  // namespace
}  // namespace switchyard

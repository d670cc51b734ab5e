// Experts in order, in runs as equal as possible: rank r of R holds experts rE/R to (r+1)E/R - 1,
// the layout of Megatron, DeepSpeed and vLLM without load balancing.
#include "sim/placement.hpp"

namespace switchyard {
namespace {

class Contiguous final : public PlacementRule {
 public:
  explicit Contiguous(Parameters& /*parameters*/) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    LayerPlacement layer;
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      const std::size_t last = (rank + 1) * input.experts / input.ranks;
      for (std::size_t expert = rank * input.experts / input.ranks; expert < last; ++expert) {
        layer.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        layer.slot_to_rank.push_back(static_cast<std::int32_t>(rank));
      }
    }
    return {std::vector<LayerPlacement>(input.layers.size(), layer)};
  }
};

const Register<PlacementRule, Contiguous> kContiguous{
    "contiguous", "experts in order, an equal run on each rank"};

}  // namespace
}  // namespace switchyard

// MoEShard (arXiv 2503.08467) and the layout that Lory (arXiv 2405.03133) suggests: every expert is
// cut over all ranks along its inner width, so that every rank has the same work whatever the
// routing, and every token goes to every rank.
#include "sim/placement.hpp"

namespace switchyard {
namespace {

class ShardAll final : public PlacementRule {
 public:
  explicit ShardAll(Parameters& /*parameters*/) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    LayerPlacement layer;
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      for (std::size_t expert = 0; expert < input.experts; ++expert) {
        layer.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        layer.slot_to_rank.push_back(static_cast<std::int32_t>(rank));
      }
    }
    layer.shards = static_cast<std::int32_t>(input.ranks);
    return {std::vector<LayerPlacement>(input.layers.size(), layer)};
  }
};

const Register<PlacementRule, ShardAll> kShardAll{
    "shard_all", "a part of every expert on every rank (MoEShard, Lory)"};

}  // namespace
}  // namespace switchyard

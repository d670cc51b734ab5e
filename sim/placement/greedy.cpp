// Longest processing time first: experts in falling load, each to the lightest rank with room. No
// replicas; ranks hold equally many experts.
#include "sim/balancing/packing.hpp"
#include "sim/placement.hpp"

namespace switchyard {
namespace {

class Greedy final : public PlacementRule {
 public:
  explicit Greedy(Parameters& /*parameters*/) {}

  [[nodiscard]] PlacementEvidence evidence() const override { return PlacementEvidence::Loads; }

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    const Matrix<double> loads = loads_by_layer(input);
    Placement placement;
    for (std::size_t layer = 0; layer < input.layers.size(); ++layer) {
      const auto row = loads.row(layer);
      const Packing packing = pack_evenly(std::vector<float>(row.begin(), row.end()), input.ranks);
      LayerPlacement& slots = placement.layers.emplace_back();
      for (std::size_t expert = 0; expert < input.experts; ++expert) {
        slots.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        slots.slot_to_rank.push_back(static_cast<std::int32_t>(packing.pack[expert]));
      }
    }
    return placement;
  }
};

const Register<PlacementRule, Greedy> kGreedy{
    "greedy", "by load: the heaviest expert left to the lightest rank with room"};

}  // namespace
}  // namespace switchyard

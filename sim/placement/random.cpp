// A random balanced placement, another for every layer: the baseline that any clever one must beat.
#include "core/numbers/random.hpp"

#include <numeric>

#include "sim/placement.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kPurpose = 0x706c616365;  // "place"

class Random final : public PlacementRule {
 public:
  explicit Random(Parameters& parameters)
      : draw_(parameters.get_integer(
            "draw", 0, {0, INT64_C(1) << 53U}, "which of the seed's random placements")) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    Placement placement;
    for (const std::int64_t layer : input.layers) {
      RandomStream random(
          input.seed,
          {kPurpose, static_cast<std::uint64_t>(draw_), static_cast<std::uint64_t>(layer)});
      LayerPlacement& slots = placement.layers.emplace_back();
      slots.slot_to_expert.resize(input.experts);
      std::iota(slots.slot_to_expert.begin(), slots.slot_to_expert.end(), 0);
      for (std::size_t left = input.experts; left > 1; --left) {  // Fisher-Yates
        std::swap(slots.slot_to_expert[left - 1], slots.slot_to_expert[random.index(left)]);
      }
      for (std::size_t slot = 0; slot < input.experts; ++slot) {
        slots.slot_to_rank.push_back(static_cast<std::int32_t>(slot * input.ranks / input.experts));
      }
    }
    return placement;
  }

 private:
  std::int64_t draw_;
};

const Register<PlacementRule, Random> kRandom{"random",
                                              "experts at random, equally many on each rank"};

}  // namespace
}  // namespace switchyard

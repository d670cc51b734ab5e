// MoE++ (arXiv 2410.07348): experts that cost nothing (zero, copy, constant) are on every rank, so
// their tokens never travel; the others are spread in runs. With every expert cheap this is the
// layout of adapter experts (MoR1E, arXiv 2404.08985): no all-to-all at all.
#include <fmt/format.h>

#include "sim/placement.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

class ReplicateCheap final : public PlacementRule {
 public:
  explicit ReplicateCheap(Parameters& parameters)
      : cheap_(parameters.get_integer(
            "cheap",
            -1,
            {-1, kMostExperts},
            "how many of the last experts are on every rank; -1 = model.zero_cost_experts")),
        where_(parameters.where()) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    const std::size_t cheap =
        cheap_ < 0 ? input.zero_cost_experts : static_cast<std::size_t>(cheap_);
    if (cheap > input.experts) {
      throw InvalidInput(
          fmt::format("{} experts cannot be cheap: there are {}", cheap, input.experts),
          where_.child("cheap"));
    }
    const std::size_t spread = input.experts - cheap;
    if (spread > 0 && spread < input.ranks) {
      throw InvalidInput(
          fmt::format(
              "{} experts that are not cheap cannot be spread over {} ranks", spread, input.ranks),
          where_.child("cheap"),
          fmt::format("simulate at most {0} ranks (--ranks {0})", spread));
    }
    LayerPlacement layer;
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      const auto add = [&](std::size_t expert) {
        layer.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        layer.slot_to_rank.push_back(static_cast<std::int32_t>(rank));
      };
      for (std::size_t e = rank * spread / input.ranks; e < (rank + 1) * spread / input.ranks;
           ++e) {
        add(e);
      }
      for (std::size_t expert = spread; expert < input.experts; ++expert) {
        add(expert);
      }
    }
    return {std::vector<LayerPlacement>(input.layers.size(), layer)};
  }

 private:
  std::int64_t cheap_;
  Location where_;
};

const Register<PlacementRule, ReplicateCheap> kReplicateCheap{
    "replicate_cheap", "experts without cost on every rank, the others in runs (MoE++)"};

}  // namespace
}  // namespace switchyard

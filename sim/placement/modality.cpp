// MoMa (arXiv 2407.21770): experts belong to groups, one per modality, in runs of equal length.
// `grouped` gives each group ranks of its own, `interleaved` puts some of each group on every rank.
#include <array>

#include <fmt/format.h>

#include "sim/placement.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 2> kLayouts{"interleaved", "grouped"};

class Modality final : public PlacementRule {
 public:
  explicit Modality(Parameters& parameters)
      : groups_(parameters.get_integer(
            "groups", 2, {1, 1 << 20}, "groups of consecutive experts, one per modality")),
        is_grouped_(parameters.get_choice("layout",
                                          "interleaved",
                                          kLayouts,
                                          "interleaved: some of each group on every rank; grouped: "
                                          "each group on ranks of its own") == "grouped"),
        where_(parameters.where()) {}

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    const auto groups = static_cast<std::size_t>(groups_);
    if (input.experts % groups != 0) {
      throw InvalidInput(
          fmt::format("{} experts are no {} groups of equal size", input.experts, groups),
          where_.child("groups"));
    }
    if (is_grouped_ && input.ranks % groups != 0) {
      throw InvalidInput(
          fmt::format("{} groups cannot each have as many of {} ranks", groups, input.ranks),
          where_.child("layout"),
          "choose layout interleaved, or other --ranks");
    }
    const std::size_t size = input.experts / groups;
    LayerPlacement layer;
    for (std::size_t place = 0; place < input.experts; ++place) {
      // Places are dealt out in runs; interleaving takes one expert of each group in turn.
      const std::size_t expert = is_grouped_ ? place : place % groups * size + place / groups;
      layer.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
      layer.slot_to_rank.push_back(static_cast<std::int32_t>(place * input.ranks / input.experts));
    }
    return {std::vector<LayerPlacement>(input.layers.size(), layer)};
  }

 private:
  std::int64_t groups_;
  bool is_grouped_;
  Location where_;
};

const Register<PlacementRule, Modality> kModality{
    "modality", "experts by modality: mixed on every rank, or each group on its own (MoMa)"};

}  // namespace
}  // namespace switchyard

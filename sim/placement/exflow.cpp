// ExFlow (arXiv 2401.08383): experts that tokens visit one after another share a rank, or at least
// a node. Every rank holds equally many experts of every layer; load is not looked at.
#include <array>

#include "sim/affinity/affinity_placement.hpp"
#include "sim/exchange/node_layout.hpp"
#include "sim/placement.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 3> kLevels{"auto", "one", "two"};

class ExFlow final : public PlacementRule {
 public:
  explicit ExFlow(Parameters& parameters)
      : levels_(parameters.get_choice("levels",
                                      "auto",
                                      kLevels,
                                      "one: fewest changes of GPU; two: fewest changes of node, "
                                      "then of GPU inside each; auto: two where there are nodes")),
        options_{.restarts = parameters.get_integer(
                     "restarts", 4, {1, 10000}, "independent starts of the search"),
                 .kicks = parameters.get_integer(
                     "kicks", 20, {0, 100000}, "disturbances of each start's result")} {}

  [[nodiscard]] PlacementEvidence evidence() const override { return PlacementEvidence::Tokens; }

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    const Transitions transitions = count_transitions(*input.trace, input.layers, input.steps);
    std::vector<std::size_t> sizes;
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      sizes.push_back((rank + 1) * input.experts / input.ranks -
                      rank * input.experts / input.ranks);
    }
    AffinityOptions options = options_;
    options.seed = input.seed;
    const std::vector<std::vector<std::size_t>> nodes = ranks_by_node(input);
    const bool by_node = levels_ == "two" || (levels_ == "auto" && nodes.size() > 1);
    const Parts parts = by_node ? place_by_two_levels(transitions, nodes, sizes, options)
                                : place_by_affinity(transitions, sizes, options);
    Placement placement;
    for (const std::vector<std::int32_t>& layer : parts) {
      LayerPlacement& slots = placement.layers.emplace_back();
      for (std::size_t expert = 0; expert < layer.size(); ++expert) {
        slots.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        slots.slot_to_rank.push_back(layer[expert]);
      }
    }
    return placement;
  }

 private:
  static std::vector<std::vector<std::size_t>> ranks_by_node(const PlacementInput& input) {
    std::vector<std::int32_t> node_of_rank;
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      node_of_rank.push_back(input.fabric->node_of(RankId{rank}).value);
    }
    const NodeLayout layout(node_of_rank);
    std::vector<std::vector<std::size_t>> nodes;
    for (std::size_t node = 0; node < layout.node_count(); ++node) {
      const auto ranks = layout.ranks_of(node);
      if (!ranks.empty()) {
        nodes.emplace_back(ranks.begin(), ranks.end());
      }
    }
    return nodes;
  }

  std::string levels_;
  AffinityOptions options_;
};

const Register<PlacementRule, ExFlow> kExFlow{
    "exflow", "by affinity: experts visited one after another share a GPU or a node (ExFlow)"};

}  // namespace
}  // namespace switchyard

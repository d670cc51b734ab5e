// DeepSeek's expert-parallel load balancer: hot experts get replicas, copies are packed so that
// ranks carry equal load. The algorithm is in sim/balancing/eplb.hpp.
#include "sim/balancing/eplb.hpp"

#include <array>
#include <numeric>

#include <fmt/format.h>

#include "sim/placement.hpp"

namespace switchyard {
namespace {

constexpr std::array<std::string_view, 3> kModes{"auto", "hierarchical", "global"};
constexpr std::int64_t kMostSlots = 1 << 20;

class Eplb final : public PlacementRule {
 public:
  explicit Eplb(Parameters& parameters)
      : redundant_(parameters.get_integer(
            "redundant",
            0,
            {0, kMostSlots},
            "copies beyond one per expert; rounded up until every rank has equally many slots")),
        groups_(parameters.get_integer(
            "groups",
            0,
            {0, kMostSlots},
            "runs of consecutive experts that stay on one node; 0 = as many as nodes")),
        mode_(parameters.get_choice(
            "mode",
            "auto",
            kModes,
            "hierarchical: groups to nodes, then copies to GPUs; global: all GPUs alike; auto: "
            "hierarchical where the groups divide over the nodes")),
        where_(parameters.where()) {}

  [[nodiscard]] PlacementEvidence evidence() const override { return PlacementEvidence::Loads; }

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    const EplbShape shape = shape_for(input);
    const Matrix<double> loads = loads_by_layer(input);
    Placement placement;
    for (std::size_t layer = 0; layer < input.layers.size(); ++layer) {
      const auto row = loads.row(layer);
      LayerPlacement& slots = placement.layers.emplace_back();
      slots.slot_to_expert = eplb_layer(std::vector<float>(row.begin(), row.end()), shape);
      for (std::size_t slot = 0; slot < shape.slots; ++slot) {
        slots.slot_to_rank.push_back(static_cast<std::int32_t>(slot / (shape.slots / shape.ranks)));
      }
    }
    return placement;
  }

 private:
  [[nodiscard]] EplbShape shape_for(const PlacementInput& input) const {
    const std::size_t wanted = input.experts + static_cast<std::size_t>(redundant_);
    if (wanted < input.ranks) {
      throw InvalidInput(fmt::format("{} experts and {} redundant copies are too few for {} ranks",
                                     input.experts,
                                     redundant_,
                                     input.ranks),
                         where_.child("redundant"),
                         fmt::format("placement.redundant={}", input.ranks - input.experts));
    }
    EplbShape shape{.slots = (wanted + input.ranks - 1) / input.ranks * input.ranks,
                    .groups = 1,
                    .nodes = 1,
                    .ranks = input.ranks};
    const std::size_t nodes = equal_nodes(input);
    auto groups = static_cast<std::size_t>(groups_);
    if (groups == 0) {  // as many as nodes, where that is possible
      groups = nodes > 0 && input.experts % nodes == 0 ? nodes : 1;
    }
    if (input.experts % groups != 0) {
      throw InvalidInput(
          fmt::format("{} experts are no {} groups of equal size", input.experts, groups),
          where_.child("groups"));
    }
    const bool divides =
        nodes > 0 && groups % nodes == 0 && shape.slots / nodes >= input.experts / nodes;
    if (mode_ == "hierarchical" && !divides) {
      throw InvalidInput(
          nodes == 0
              ? fmt::format("{} ranks are not the same number on every node", input.ranks)
              : fmt::format("{} groups of experts do not divide over {} nodes", groups, nodes),
          where_.child("mode"),
          "choose mode global, or other groups");
    }
    if (divides && mode_ != "global") {
      shape.groups = groups;
      shape.nodes = nodes;
    }
    return shape;
  }

  // Number of nodes, or 0 if they have different numbers of ranks or the ranks are not in order.
  static std::size_t equal_nodes(const PlacementInput& input) {
    std::size_t nodes = 1;
    for (std::size_t rank = 1; rank < input.ranks; ++rank) {
      nodes +=
          input.fabric->node_of(RankId{rank}) != input.fabric->node_of(RankId{rank - 1}) ? 1 : 0;
    }
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      const std::size_t first = rank / (input.ranks / nodes) * (input.ranks / nodes);
      if (input.ranks % nodes != 0 ||
          input.fabric->node_of(RankId{rank}) != input.fabric->node_of(RankId{first})) {
        return 0;
      }
    }
    return nodes;
  }

  std::int64_t redundant_;
  std::int64_t groups_;
  std::string mode_;
  Location where_;
};

const Register<PlacementRule, Eplb> kEplb{
    "eplb", "DeepSeek's load balancer: replicas for hot experts, ranks of equal load"};

}  // namespace
}  // namespace switchyard

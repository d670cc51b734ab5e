// Locality, as LocMoE (arXiv 2401.13920) seeks it: experts go to the ranks whose own tokens choose
// them most, every rank with equally many. A token that stays on its node counts for what
// `node_share` says of one that stays on its rank.
#include <cmath>

#include "sim/affinity/even_assignment.hpp"
#include "sim/placement.hpp"

namespace switchyard {
namespace {

constexpr double kScale = 1024;  // gains are whole numbers; shares are kept to this resolution

class LocMoe final : public PlacementRule {
 public:
  explicit LocMoe(Parameters& parameters)
      : node_share_(parameters.get_number(
            "node_share",
            0.5,
            {0, 1},
            "worth of a token that stays on its node, against one that stays on its rank")) {}

  [[nodiscard]] PlacementEvidence evidence() const override {
    return PlacementEvidence::LoadsByRank;
  }

  [[nodiscard]] Placement place(const PlacementInput& input) const override {
    require_experts_for_ranks(input);
    Placement placement;
    for (const std::int64_t layer : input.layers) {
      std::vector<std::int32_t> rank_of(input.experts);
      for (std::size_t expert = 0; expert < input.experts; ++expert) {
        rank_of[expert] = static_cast<std::int32_t>(expert * input.ranks / input.experts);
      }
      improve_assignment(gains(input, layer), input.ranks, rank_of);
      LayerPlacement& slots = placement.layers.emplace_back();
      for (std::size_t expert = 0; expert < input.experts; ++expert) {
        slots.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
        slots.slot_to_rank.push_back(rank_of[expert]);
      }
    }
    return placement;
  }

 private:
  // [experts, ranks] tokens that would stay, in thousandths.
  [[nodiscard]] Matrix<std::int64_t> gains(const PlacementInput& input, std::int64_t layer) const {
    Matrix<std::int64_t> gain(input.experts, input.ranks);
    const auto on_node = static_cast<std::int64_t>(std::lround(kScale * node_share_));
    const auto on_rank = static_cast<std::int64_t>(kScale) - on_node;
    for (std::size_t i = 0; i < input.load->rows.size(); ++i) {
      const LoadRow& row = input.load->rows[i];
      if (row.layer != layer || !input.steps.contains(row.step) || row.source_rank < 0) {
        continue;
      }
      const auto source = static_cast<std::size_t>(row.source_rank);
      const auto counts = input.load->counts.row(i);
      for (std::size_t rank = 0; rank < input.ranks; ++rank) {
        const bool is_near =
            input.fabric->node_of(RankId{rank}) == input.fabric->node_of(RankId{source});
        const std::int64_t worth = (is_near ? on_node : 0) + (rank == source ? on_rank : 0);
        for (std::size_t expert = 0; worth > 0 && expert < input.experts; ++expert) {
          gain(expert, rank) += worth * counts[expert];
        }
      }
    }
    return gain;
  }

  double node_share_;
};

const Register<PlacementRule, LocMoe> kLocMoe{
    "locmoe", "by locality: experts where the tokens that choose them start (LocMoE)"};

}  // namespace
}  // namespace switchyard

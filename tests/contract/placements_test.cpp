// Every placement, known or new: each expert has a slot, ranks are used evenly, impossible sizes
// are refused.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/placement.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

class EveryPlacement : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const auto& parameter :
         Registry<PlacementRule>::instance().describe(GetParam(), "placement")) {
      if (parameter.default_value == "required") {
        GTEST_SKIP() << GetParam() << " places as its " << parameter.name
                     << " says; see tests/sim/placement_table_test.cpp";
      }
    }
  }

  [[nodiscard]] static Placement place(std::size_t experts, std::size_t ranks) {
    Parameters defaults(nlohmann::json::object(), {});
    const auto rule = Registry<PlacementRule>::instance().create(GetParam(), "placement", defaults);
    static const Fabric kFabric = load_topology("dgx_h100_8");
    const PlacementInput input{
        .experts = experts, .ranks = ranks, .layers = {0, 3}, .fabric = &kFabric};
    Placement placement = rule->place(input);
    check_placement(placement, input);
    return placement;
  }
};

TEST_P(EveryPlacement, GivesEachRankItsShare) {
  for (const std::size_t experts : {8U, 9U, 64U}) {
    for (const std::size_t ranks : {1U, 3U, 8U}) {
      for (const LayerPlacement& layer : place(experts, ranks).layers) {
        std::vector<std::size_t> slots(ranks, 0);
        for (const std::int32_t rank : layer.slot_to_rank) {
          ++slots[static_cast<std::size_t>(rank)];
        }
        const auto [fewest, most] = std::minmax_element(slots.begin(), slots.end());
        EXPECT_LE(*most - *fewest, 1U) << experts << " experts on " << ranks << " ranks";
      }
    }
  }
}

TEST_P(EveryPlacement, RefusesFewerExpertsThanRanks) {
  EXPECT_THROW(place(4, 8), InvalidInput);
}

INSTANTIATE_TEST_SUITE_P(Placements,
                         EveryPlacement,
                         ::testing::ValuesIn(Registry<PlacementRule>::instance().names()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace switchyard

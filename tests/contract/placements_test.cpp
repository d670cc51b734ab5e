// Every placement, known or new: each expert has a slot, ranks are used evenly, sizes that do not
// fit are refused with the numbers.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
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

  // Routing of 2 steps by 4 ranks through layers 0 and 3; the higher the id, the rarer the expert.
  static RoutingTrace routing(std::size_t experts) {
    TraceColumns columns;
    std::int64_t row = 0;
    RandomStream random(experts, {1});
    for (const std::int64_t step : {0, 1}) {
      for (const std::int64_t layer : {0, 3}) {
        for (std::int64_t rank = 0; rank < 4; ++rank) {
          columns.chunks.push_back({step, layer, rank, row, 20});
          for (; row < columns.chunks.back().first_row + 20; ++row) {
            const double u = random.uniform();
            const auto first = static_cast<std::int32_t>(u * u * static_cast<double>(experts));
            columns.expert_ids.push_back(first);
            columns.expert_ids.push_back((first + 1) % static_cast<std::int32_t>(experts));
            columns.gate_weights.insert(columns.gate_weights.end(), {0.7F, 0.3F});
          }
        }
      }
    }
    TraceMetadata metadata;
    metadata.model = {.hidden = 64,
                      .experts = static_cast<std::int64_t>(experts),
                      .top_k = 2,
                      .layers = 2,
                      .dtype = "bf16"};
    return RoutingTrace::from_columns(metadata, std::move(columns), {"test", ""});
  }

  [[nodiscard]] static Placement place(std::size_t experts,
                                       std::size_t ranks,
                                       const std::string& topology = "dgx_h100_8") {
    Parameters defaults(nlohmann::json::object(), {});
    const auto rule = Registry<PlacementRule>::instance().create(GetParam(), "placement", defaults);
    const Fabric fabric = load_topology(topology);
    const RoutingTrace trace = routing(experts);
    const ExpertLoad load = count_selections(trace, /*by_rank=*/true);
    const PlacementInput input{.experts = experts,
                               .ranks = ranks,
                               .layers = {0, 3},
                               .fabric = &fabric,
                               .load = &load,
                               .trace = &trace};
    Placement placement = rule->place(input);
    check_placement(placement, input);
    return placement;
  }
};

TEST_P(EveryPlacement, GivesEachRankItsShare) {
  for (const std::size_t experts : {8U, 16U, 64U}) {
    for (const std::size_t ranks : {1U, 4U, 8U}) {
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

TEST_P(EveryPlacement, ServesOrRefusesSizesThatDoNotDivide) {
  for (const auto& [experts, ranks] : {std::pair(9, 8), std::pair(9, 3), std::pair(4, 8)}) {
    try {
      (void)place(static_cast<std::size_t>(experts), static_cast<std::size_t>(ranks));
    } catch (const InvalidInput& refusal) {
      EXPECT_NE(std::string(refusal.what()).find(std::to_string(experts)), std::string::npos)
          << "names the numbers that clash: " << refusal.what();
    }
  }
}

TEST_P(EveryPlacement, ServesSeveralNodes) {
  EXPECT_EQ(place(64, 64, "hgx_h100_rail_64").layers.size(), 2U);
}

TEST_P(EveryPlacement, PlacesAlikeTwice) {
  EXPECT_EQ(place(64, 8).layers, place(64, 8).layers);
}

INSTANTIATE_TEST_SUITE_P(Placements,
                         EveryPlacement,
                         ::testing::ValuesIn(Registry<PlacementRule>::instance().names()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace switchyard

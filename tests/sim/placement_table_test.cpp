// The placement that is read from a file.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/placement.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/real_data.hpp"
#include "tests/support/temporary_folder.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

Placement place(const std::filesystem::path& table, const PlacementInput& input) {
  Parameters parameters(nlohmann::json{{"path", table.string()}}, {"test", "#/placement"});
  const auto rule = Registry<PlacementRule>::instance().create("table", "placement", parameters);
  Placement placement = rule->place(input);
  check_placement(placement, input);
  return placement;
}

const Fabric& rail_fabric() {
  static const Fabric kFabric = load_topology("hgx_h100_rail_64");
  return kFabric;
}

TEST(PlacementTable, PutsExpertsWhereItSays) {
  const testing::TemporaryFolder folder;
  const auto file = folder.write("p.csv", "rank,moe_layer,experts\n0,3,2 0\n1,3,1 2\n");
  const PlacementInput input{.experts = 3, .ranks = 2, .layers = {3}, .fabric = &rail_fabric()};
  const Placement placement = place(file, input);
  EXPECT_EQ(placement.layers[0].slot_to_expert, (std::vector<std::int32_t>{2, 0, 1, 2}));
  EXPECT_EQ(placement.layers[0].slot_to_rank, (std::vector<std::int32_t>{0, 0, 1, 1}));
}

TEST(PlacementTable, NamesTheNumbersThatClash) {
  const testing::TemporaryFolder folder;
  const auto file = folder.write("p.csv", "rank,moe_layer,experts\n0,3,0\n1,3,1\n");
  const PlacementInput other{.experts = 4, .ranks = 4, .layers = {3}, .fabric = &rail_fabric()};
  expect_error<InvalidInput>([&] { (void)place(file, other); },
                             "places 2 experts on 2 ranks; the scenario has 4 on 4");
  const PlacementInput deeper{.experts = 2, .ranks = 2, .layers = {3, 4}, .fabric = &rail_fabric()};
  expect_error<InvalidInput>([&] { (void)place(file, deeper); }, "places 1 layers");
}

TEST(PlacementTable, ReadsOnePublishedForDeepSeekV3) {
  SWITCHYARD_REAL_DATA(table, "routing/deepseek-v3_placement/dsv3_16ranks_prefill_rearranged.csv");
  PlacementInput input{.experts = 256, .ranks = 16, .fabric = &rail_fabric()};
  for (std::int64_t layer = 0; layer < 58; ++layer) {
    input.layers.push_back(layer);
  }
  EXPECT_EQ(place(table, input).layers.size(), 58U);
}

}  // namespace
}  // namespace switchyard

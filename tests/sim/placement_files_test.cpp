// Placements in the files of others and our own: read, fit, written back.
#include "sim/placement_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/atomic_file.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using ::testing::ElementsAre;
using testing::expect_error;

const Fabric& fabric() {
  static const Fabric kFabric = load_topology("dgx_h100_8");
  return kFabric;
}

PlacementInput input_of(std::size_t experts, std::size_t ranks) {
  return {.experts = experts, .ranks = ranks, .layers = {3, 4}, .fabric = &fabric()};
}

// Expert 1 twice; four slots on each of two ranks.
Placement replicated() {
  return {{{.slot_to_expert = {0, 1, 2, 1, 3, 4}, .slot_to_rank = {0, 0, 0, 1, 1, 1}},
           {.slot_to_expert = {4, 3, 1, 2, 1, 0}, .slot_to_rank = {0, 0, 0, 1, 1, 1}}}};
}

TEST(PlacementFiles, AllFormatsGiveTheSamePlacementBack) {
  const testing::TemporaryFolder folder;
  const PlacementInput input = input_of(5, 2);
  for (const char* name : {"p.json", "p.eplb.json", "p.yaml"}) {
    const auto path = folder.path() / name;
    write_file(path, placement_text(replicated(), input, placement_format_of(path)), false);
    EXPECT_EQ(fit_placement(read_placement(path), input).layers, replicated().layers) << name;
  }
  const auto table = folder.path() / "p.csv";
  write_file(table, placement_text(replicated(), input, placement_format_of(table)), false);
  const Placement read = fit_placement(read_placement(table), input);
  EXPECT_THAT(read.layers[1].slot_to_expert, ElementsAre(1, 3, 4, 0, 1, 2)) << "by expert";
}

TEST(PlacementFiles, WriteEplbsThreeArrays) {
  const auto document =
      nlohmann::json::parse(placement_text(replicated(), input_of(5, 2), PlacementFormat::Eplb));
  EXPECT_EQ(document["phy2log"][0], (nlohmann::json{0, 1, 2, 1, 3, 4}));
  EXPECT_EQ(document["logcnt"][0], (nlohmann::json{1, 2, 1, 1, 1}));
  EXPECT_EQ(document["log2phy"][0][1], (nlohmann::json{1, 3}));
  EXPECT_EQ(document["log2phy"][0][0], (nlohmann::json{0, -1}));
}

TEST(PlacementFiles, ReadTensorRtLlmsConfiguration) {
  const testing::TemporaryFolder folder;
  const auto file = folder.write("moe.yaml",
                                 "num_slots: 4\n"
                                 "initial_global_assignments:\n"
                                 "  3: [0, 1, 2, 0]\n"
                                 "  4: [2, 1, 0, 1]\n"
                                 "layer_updates_per_iter: 0\n");
  const Placement placement = fit_placement(read_placement(file), input_of(3, 2));
  EXPECT_THAT(placement.layers[1].slot_to_expert, ElementsAre(2, 1, 0, 1));
  EXPECT_THAT(placement.layers[1].slot_to_rank, ElementsAre(0, 0, 1, 1));
}

void expect_refusal(const std::string& name,
                    const std::string& content,
                    const std::string& words,
                    const PlacementInput& input = input_of(3, 2)) {
  const testing::TemporaryFolder folder;
  const auto file = folder.write(name, content);
  expect_error<InvalidInput>([&] { (void)fit_placement(read_placement(file), input); }, words);
}

TEST(PlacementFiles, RefuseALostExpert) {
  expect_refusal("p.json",
                 R"({"phy2log": [[0, 1, 0, 1], [0, 1, 2, 0]]})",
                 "layer 0: expert 2 of 3 is on no rank");
  expect_refusal("p.csv", "rank,moe_layer,experts\n0,3,0 2\n1,3,2\n", "expert 1 is on no rank");
}

TEST(PlacementFiles, RefuseAnExpertTwiceOnOneRank) {
  expect_refusal("p.json",
                 R"({"format_version": 1, "experts": 3, "ranks": 2, "layers": [
                      {"layer": 3, "slot_to_expert": [0, 0, 1, 2], "slot_to_rank": [0, 0, 1, 1]},
                      {"layer": 4, "slot_to_expert": [0, 1, 2], "slot_to_rank": [0, 0, 1]}]})",
                 "expert 0 twice on rank 0");
}

TEST(PlacementFiles, RefuseNumbersThatClash) {
  expect_refusal(
      "p.json", R"({"phy2log": [[0, 1, 2], [0, 1, 2]]})", "3 slots do not divide over 2");
  expect_refusal("p.json",
                 R"({"phy2log": [[0, 1, 2, 3], [0, 1, 2, 3]]})",
                 "slot 3 puts expert 3 on rank 1; the scenario has 3 experts on 2 ranks");
  expect_refusal("p.json",
                 R"({"phy2log": [[0, 1, 2, 0], [0, 1, 2, 0]], "logcnt": [[1, 1, 1], [2, 1, 1]]})",
                 "expert 0 has 1 copies here and 2 in phy2log");
  expect_refusal("p.yaml",
                 "num_slots: 4\ninitial_global_assignments:\n  3: [0, 1, 2]\n",
                 "3 slots where num_slots says 4");
  expect_refusal("p.yaml", "a: [", "");
  expect_refusal("p.json", R"({"phy2log": [[0, 1, 2, "x"]]})", "\"x\" is no index");
  expect_refusal("p.json", R"({"phy2log": [[0, 1, 2, 0]]})", "places 1 layers; the trace has 2");
}

TEST(PlacementFiles, RefuseToWriteWhatAFormatCannotHold) {
  const Placement uneven{{{.slot_to_expert = {0, 1, 2}, .slot_to_rank = {0, 0, 1}},
                          {.slot_to_expert = {0, 1, 2}, .slot_to_rank = {0, 0, 1}}}};
  expect_error<InvalidInput>(
      [&] { (void)placement_text(uneven, input_of(3, 2), PlacementFormat::TensorRtLlm); },
      "equally many each");
  expect_error<InvalidInput>([] { (void)placement_format_of("p.txt"); }, ".eplb.json");
}

}  // namespace
}  // namespace switchyard

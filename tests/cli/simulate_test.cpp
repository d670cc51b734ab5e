// The main job as a user meets it: demo, simulate and their outputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

json parsed(const ProgramRun& run) {
  return parse_json(run.output, {"output", ""});
}

// Four layers of 64 experts on 8 ranks a step.
ProgramRun make_trace(const TemporaryFolder& folder, const std::string& name, int steps) {
  return run_program({"route",
                      "--steps",
                      std::to_string(steps),
                      "--tokens",
                      "16",
                      "--set",
                      "workload.hidden=16",
                      "-o",
                      name},
                     folder.path());
}

TEST(Simulate, RefusesATraceWhoseExpertsAreMerged) {
  const TemporaryFolder folder;
  const ProgramRun routed = run_program({"route",
                                         "--router",
                                         "lory",
                                         "--tokens",
                                         "16",
                                         "--set",
                                         "workload.hidden=16",
                                         "-o",
                                         "merged.trace"},
                                        folder.path());
  EXPECT_EQ(routed.exit_code, 0) << routed.errors;
  const ProgramRun run = run_program(
      {"simulate", "--trace", "merged.trace", "--set", "model.expert_hidden=32"}, folder.path());
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.errors, HasSubstr("the router merges experts by their weights"));
}

TEST(Demo, NamesABottleneckAndEndsWithThreeCommands) {
  const ProgramRun run = run_program({"demo"});
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output,
              AllOf(HasSubstr("step time"),
                    HasSubstr("as the bottleneck: node"),
                    HasSubstr("lower bound"),
                    HasSubstr("Try next:\n  switchyard demo ")));
}

TEST(Demo, EndsWithCommandsThatWork) {
  const TemporaryFolder folder;
  const ProgramRun demo = run_program({"demo"});
  std::string commands = "set -e\n";
  std::size_t count = 0;
  for (std::size_t at = 0; (at = demo.output.find("\n  switchyard ", at)) != std::string::npos;) {
    const std::size_t end = demo.output.find('\n', at + 1);
    commands += demo.output.substr(at + 3, end - at - 2);
    at = end;
    ++count;
  }
  EXPECT_EQ(count, 3U);
  const ProgramRun run = run_shell(commands, folder.path());
  EXPECT_EQ(run.exit_code, 0) << commands << run.errors;
}

TEST(Demo, GivesTheSameBytesTwice) {
  EXPECT_EQ(run_program({"demo", "--json"}).output, run_program({"demo", "--json"}).output);
}

TEST(Simulate, ReadsAScenarioAndLetsFlagsOverrideIt) {
  const TemporaryFolder folder;
  folder.write("scenario.json", R"({"trace": "sample:demo", "topology": "dgx_h100_8",
    "model": "deepseek_v2_lite", "ranks": 16, "network": "bound"})");
  const ProgramRun refused = run_program({"simulate", "scenario.json"}, folder.path());
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, StartsWith("error: scenario.json#/ranks: 16 ranks do not fit"));
  const ProgramRun run = run_program(
      {"simulate", "scenario.json", "--topology", "hgx_h100_rail_64", "--json"}, folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(parsed(run)["network"]["name"], "bound");
}

TEST(Simulate, RefusesAMistypedKeyWithTheNearestOne) {
  const TemporaryFolder folder;
  folder.write("scenario.json", R"({"trace": "sample:demo", "topolgy": "dgx_h100_8"})");
  const ProgramRun run = run_program({"simulate", "scenario.json"}, folder.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, AllOf(HasSubstr("topolgy"), HasSubstr("did you mean \"topology\"?")));
}

TEST(Simulate, SuggestsTheNearestTopology) {
  const ProgramRun run = run_program({"demo", "--topology", "hgx_h100_rial_64"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("did you mean \"hgx_h100_rail_64\"?"));
}

TEST(Simulate, ExitsWithOneWhenALimitBreaks) {
  const ProgramRun broken = run_program({"demo", "--fail-if", "imbalance > 1.5"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.errors, StartsWith("limit broken: imbalance > 1.5 ("));
  EXPECT_EQ(run_program({"demo", "--fail-if", "step_s > 1s"}).exit_code, 0);
  EXPECT_EQ(run_program({"demo", "--fail-if", "speed > 1"}).exit_code, 2);
}

TEST(Simulate, WritesEveryOutputAndRefusesToReplaceThem) {
  const TemporaryFolder folder;
  const std::vector<std::string> words{"demo",
                                       "--timeline",
                                       "t.json.gz",
                                       "--save",
                                       "run.sqlite",
                                       "--csv",
                                       "tables",
                                       "--json",
                                       "-o",
                                       "run.json"};
  const ProgramRun run = run_program(words, folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, "");
  for (const char* name : {"t.json.gz", "run.sqlite", "tables/metric.csv", "run.json"}) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  }
  const ProgramRun again = run_program(words, folder.path());
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.errors, HasSubstr("exists already\n  pass --force to replace it"));
  auto forced = words;
  forced.emplace_back("--force");
  EXPECT_EQ(run_program(forced, folder.path()).exit_code, 0);
  for (const char* name : {"run.sqlite", "run.json"}) {
    const ProgramRun inspected = run_program({"inspect", name, "--check"}, folder.path());
    EXPECT_EQ(inspected.exit_code, 0) << inspected.errors;
    EXPECT_THAT(inspected.output, AllOf(HasSubstr("step_s"), HasSubstr("check: valid")));
  }
}

TEST(Simulate, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  folder.write("run.json", "old");
  ASSERT_EQ(make_trace(folder, "small.trace", 1).exit_code, 0);
  // A file size limit makes every larger write fail, as a full disk does.
  const ProgramRun run = run_shell(
      "trap '' XFSZ; ulimit -f 1; switchyard simulate --trace small.trace --json -o run.json "
      "--set model.expert_hidden=64 --force",
      folder.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("run.json: cannot be written"));
  EXPECT_EQ(run_shell("cat run.json; ls", folder.path()).output, "oldrun.json\nsmall.trace\n");
}

TEST(Simulate, SaysHowToNameATrace) {
  const ProgramRun run = run_program({"simulate"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("pass --trace FILE"));
  EXPECT_THAT(run_program({"simulate", "--trace", "missing.trace"}).errors,
              HasSubstr("missing.trace"));
}

TEST(Simulate, RecognisesATraceGivenAsScenario) {
  const ProgramRun run = run_program({"simulate", "sample:demo"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("pass it with --trace sample:demo"));
}

TEST(Simulate, ListsTheAllowedValuesOfAScenarioField) {
  const TemporaryFolder folder;
  folder.write("s.json", R"({"trace": {"path": "x", "assign_ranks": "contigous"}})");
  EXPECT_THAT(run_program({"simulate", "s.json"}, folder.path()).errors,
              AllOf(HasSubstr("s.json#/trace/assign_ranks"), HasSubstr("\"by_sequence\"")));
}

TEST(Simulate, SuggestsTheNearestRankRule) {
  const ProgramRun run = run_program({"demo", "--assign-ranks", "contigous"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("did you mean \"contiguous\"?"));
}

TEST(Simulate, SuggestsTheNearestPass) {
  const ProgramRun run = run_program({"demo", "--pass", "trainig"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("did you mean \"training\"?"));
}

TEST(Simulate, SaysWhichOfSeveralPlacementsItWrote) {
  const TemporaryFolder folder;
  ASSERT_EQ(make_trace(folder, "four.trace", 4).exit_code, 0);
  const ProgramRun run = run_program({"simulate",
                                      "--trace",
                                      "four.trace",
                                      "--set",
                                      "model.expert_hidden=64",
                                      "--set",
                                      R"(placement={"name":"greedy","period":2})",
                                      "--placement-out",
                                      "p.json"},
                                     folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output, HasSubstr("written: p.json (the last of 2 placements, from step 2 on)"));
}

TEST(Simulate, ExplainsNothingWithoutTimes) {
  const TemporaryFolder folder;
  folder.write("counts.csv", "layer,e0,e1,e2,e3,e4,e5,e6,e7\n0,1,2,3,4,5,6,7,8\n");
  const ProgramRun imported = run_program(
      {"import", "counts.csv", "-o", "counts.safetensors", "--set", "top_k=1"}, folder.path());
  ASSERT_EQ(imported.exit_code, 0) << imported.errors;
  const ProgramRun run = run_program({"simulate",
                                      "--trace",
                                      "counts.safetensors",
                                      "--set",
                                      "model.hidden=64",
                                      "--set",
                                      "model.expert_hidden=64",
                                      "--explain"},
                                     folder.path());
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.errors, HasSubstr("--explain compares step times"));
  EXPECT_EQ(run_program({"demo", "--explain", "--explain-layers", "-1"}).exit_code, 2);
}

TEST(Simulate, TakesAnAbbreviationAsAHint) {
  const ProgramRun run = run_program({"demo", "--set", "compute.device=h100"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("did you mean \"h100_sxm\"?"));
}

TEST(Simulate, WritesPartialResultsWhenInterrupted) {
  const TemporaryFolder folder;
  // Many steps through the slowest network, so that the run takes far longer than the delay.
  ASSERT_EQ(make_trace(folder, "long.trace", 60).exit_code, 0);
  const ProgramRun run = run_program_and_interrupt({"simulate",
                                                    "--trace",
                                                    "long.trace",
                                                    "--set",
                                                    "model.expert_hidden=64",
                                                    "--network",
                                                    "simgrid",
                                                    "--json",
                                                    "--save",
                                                    "run.sqlite"},
                                                   std::chrono::milliseconds(1500),
                                                   folder.path());
  EXPECT_EQ(run.exit_code, 130) << run.errors;
  EXPECT_THAT(run.errors, HasSubstr("partial results"));
  const json document = parsed(run);
  EXPECT_EQ(document["is_partial"], true);
  EXPECT_LT(document["layers"].size(), 240U);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run.sqlite"));
}

}  // namespace
}  // namespace switchyard::testing

// route, import and inspect: from one file to the next.
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

constexpr const char* kCounts = "layer,e0,e1,e2,e3\n0,10,0,20,10\n1,10,10,10,10\n";

TEST(Route, MakesATraceThatInspectAndSimulateRead) {
  const TemporaryFolder folder;
  const ProgramRun route = run_program({"route",
                                        "--experts",
                                        "16",
                                        "--tokens",
                                        "32",
                                        "--ranks",
                                        "4",
                                        "--layers",
                                        "2",
                                        "--set",
                                        "router.k=3",
                                        "--logits",
                                        "-o",
                                        "my.trace"},
                                       folder.path());
  ASSERT_EQ(route.exit_code, 0) << route.errors;
  const ProgramRun inspect =
      run_program({"inspect", "my.trace", "--check", "--json"}, folder.path());
  ASSERT_EQ(inspect.exit_code, 0) << inspect.errors;
  const json document = parse_json(inspect.output, {"output", ""});
  EXPECT_EQ(document["experts"], 16);
  EXPECT_EQ(document["top_k"], 3);
  EXPECT_EQ(document["source_ranks"], 4);
  EXPECT_EQ(document["rows"], 2 * 4 * 32);
  EXPECT_EQ(document["is_valid"], true);
  const ProgramRun simulate = run_program(
      {"simulate", "--trace", "my.trace", "--ranks", "4", "--set", "model.expert_hidden=64"},
      folder.path());
  EXPECT_EQ(simulate.exit_code, 0) << simulate.errors;
}

TEST(Route, GivesTheSameBytesForTheSameSeed) {
  const TemporaryFolder folder;
  const ProgramRun run = run_shell(
      "for s in 1 1 2; do switchyard route --seed $s --tokens 32 -q -o $((++i)).trace; done; "
      "cmp 1.trace 2.trace && echo same; cmp -s 1.trace 3.trace || echo different",
      folder.path());
  EXPECT_EQ(run.output, "same\ndifferent\n") << run.errors;
}

TEST(Route, RefusesSettingsOfNothing) {
  const ProgramRun run = run_program({"route", "-o", "x.trace", "--set", "k=8"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("write workload.NAME=VALUE or router.NAME=VALUE"));
  EXPECT_THAT(run_program({"route", "-o", "x.trace", "--set", "router.renormalize=1"}).errors,
              HasSubstr("did you mean \"renormalise\"?"));
}

TEST(Import, TellsWhatItTookTheFileFor) {
  const TemporaryFolder folder;
  folder.write("counts.csv", kCounts);
  const ProgramRun run = run_program({"import", "counts.csv", "-o", "counts.load"}, folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output,
              AllOf(StartsWith("read as: count_csv (guessed)\n"), HasSubstr("level L0")));
  const ProgramRun inspect = run_program({"inspect", "counts.load"}, folder.path());
  EXPECT_THAT(inspect.output, AllOf(HasSubstr("L0"), HasSubstr("2.00 x"), HasSubstr("4 experts")));
}

TEST(Import, RefusesRanksForCounts) {
  const TemporaryFolder folder;
  folder.write("counts.csv", kCounts);
  const ProgramRun run = run_program(
      {"import", "counts.csv", "-o", "x", "--assign-ranks", "contiguous", "--ranks", "4"},
      folder.path());
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.errors, HasSubstr("counts have no tokens"));
}

TEST(Import, AssignsRanksByAnExplicitRule) {
  const TemporaryFolder folder;
  folder.write("tokens.csv", "token,layer,e0,e1\n0,0,1,2\n1,0,0,3\n2,0,1,3\n3,0,2,0\n");
  const ProgramRun run = run_program(
      {"import", "tokens.csv", "-o", "my.trace", "--assign-ranks", "round_robin", "--ranks", "2"},
      folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run_program({"inspect", "my.trace"}, folder.path()).output,
              HasSubstr("2, by rule: round_robin"));
}

TEST(Import, SuggestsTheNearestFormat) {
  const TemporaryFolder folder;
  folder.write("counts.csv", kCounts);
  const ProgramRun run =
      run_program({"import", "counts.csv", "--from", "cuont_csv", "-o", "x"}, folder.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("did you mean \"count_csv\"?"));
}

TEST(Inspect, ShowsPresetsAndExportsThem) {
  EXPECT_THAT(run_program({"inspect", "dgx_h100_8"}).output,
              AllOf(HasSubstr("8 GPUs"), HasSubstr("450 GB/s")));
  const TemporaryFolder folder;
  ASSERT_EQ(
      run_program({"inspect", "dgx_h100_8", "--export", "json", "-o", "node.json"}, folder.path())
          .exit_code,
      0);
  EXPECT_THAT(run_program({"inspect", "node.json", "--check"}, folder.path()).output,
              AllOf(HasSubstr("8 GPUs"), HasSubstr("check: valid")));
}

TEST(Inspect, SaysWhenAFileIsNothingItKnows) {
  const TemporaryFolder folder;
  folder.write("poem.txt", "roses are red\n");
  const ProgramRun run = run_program({"inspect", "poem.txt"}, folder.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("poem.txt: is nothing that switchyard knows"));
}

TEST(Inspect, NamesAMissingFile) {
  const ProgramRun run = run_program({"inspect", "missing.trace"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, StartsWith("error: missing.trace: there is no such file"));
}

TEST(Inspect, ChecksAScenario) {
  const TemporaryFolder folder;
  folder.write("s.json", R"({"trace": "sample:demo", "model": "deepseek_v2_lite", "ranks": 16,
    "topology": "hgx_h100_rail_64"})");
  const ProgramRun run = run_program({"inspect", "s.json", "--check"}, folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output, AllOf(HasSubstr("\"scenario_hash\""), HasSubstr("check: valid")));
}

TEST(Doctor, SaysWhatWorksAndWhyNot) {
  const ProgramRun run = run_program({"doctor", "--json"});
  ASSERT_EQ(run.exit_code, 0);
  const json document = parse_json(run.output, {"output", ""});
  for (const json& capability : document["capabilities"]) {
    EXPECT_NE(capability["detail"], "");
    EXPECT_EQ(capability["state"] == "works", capability["hint"] == "") << capability;
  }
}

}  // namespace
}  // namespace switchyard::testing

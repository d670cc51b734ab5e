// `switchyard offload` as a user meets it.
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

const std::vector<std::string> kDemo{
    "offload", "--trace", "sample:demo", "--model", "deepseek_v2_lite", "--batch", "64"};

ProgramRun run_demo(const std::vector<std::string>& more) {
  std::vector<std::string> words = kDemo;
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

TEST(Offload, NamesTheLimitAndWhatWouldHelp) {
  const ProgramRun run = run_demo({"--cache", "1GB"});
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output,
              AllOf(HasSubstr("time per token"),
                    HasSubstr("limited by          host link, busy"),
                    HasSubstr("hit ratio"),
                    HasSubstr("what if (each replayed)"),
                    HasSubstr("cache twice as large"),
                    HasSubstr("best possible eviction (policy belady)")));
}

TEST(Offload, WritesTheSameJsonForTheSameSeed) {
  const std::vector<std::string> words{
      "--cache", "1GB", "--json", "--set", "prefetch.horizon=1", "--seed", "7", "--no-what-if"};
  const ProgramRun run = run_demo(words);
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, run_demo(words).output);
  const json document = parse_json(run.output, {"output", ""});
  EXPECT_TRUE(document["what_if"].is_null());
  EXPECT_EQ(document["scenario"]["prefetch"]["horizon"], 1);
  EXPECT_EQ(document["scenario"]["seed"], 7);
  EXPECT_EQ(document["experts"]["uses"], 6701);
  EXPECT_EQ(document["layers"].size(), 4U);
}

// What a trace remembers: the model that it was made for, and that its router decided ahead.
TEST(Offload, TakesModelAndPreGatingFromTheTrace) {
  const TemporaryFolder folder;
  const auto route = [&](const std::vector<std::string>& more, const std::string& file) {
    std::vector<std::string> words{"route",
                                   "--model",
                                   "deepseek_v2_lite",
                                   "--layers",
                                   "3",
                                   "--tokens",
                                   "16",
                                   "-q",
                                   "-o",
                                   file};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramRun run = run_program(words, folder.path());
    ASSERT_EQ(run.exit_code, 0) << run.errors;
  };
  const auto offload = [&](const std::string& file, const std::string& known_ahead = "-1") {
    return run_program({"offload",
                        "--trace",
                        file,
                        "--cache",
                        "1GB",
                        "--json",
                        "--no-what-if",
                        "--set",
                        "prefetch.horizon=2",
                        "--set",
                        "prefetch.known_ahead=" + known_ahead},
                       folder.path());
  };
  const auto experts = [&](const std::string& file, const std::string& known_ahead) {
    return parse_json(offload(file, known_ahead).output, {"output", ""})["experts"];
  };
  route({"--router", "read_me"}, "ahead.trace");
  const ProgramRun ahead = offload("ahead.trace");
  ASSERT_EQ(ahead.exit_code, 0) << ahead.errors;
  const json document = parse_json(ahead.output, {"output", ""});
  EXPECT_EQ(document["scenario"]["model"]["preset"], "deepseek_v2_lite");
  EXPECT_EQ(document["scenario"]["model"]["expert_hidden"], 1408);
  EXPECT_EQ(experts("ahead.trace", "-1"), experts("ahead.trace", "3")) << "all three layers";
  EXPECT_NE(experts("ahead.trace", "-1"), experts("ahead.trace", "0"));

  route({"--router", "top_k"}, "plain.trace");
  EXPECT_EQ(experts("plain.trace", "-1"), experts("plain.trace", "0"));

  route({"--set", "workload.experts=32"}, "other.trace");
  const ProgramRun other = offload("other.trace");
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.errors, HasSubstr("the model's expert width is not known"));
}

TEST(Offload, AScenarioFileSaysTheSameAsFlags) {
  const TemporaryFolder folder;
  const auto file = folder.write(
      "offload.json",
      R"({"trace": "sample:demo", "model": "deepseek_v2_lite", "memory": {"cache": "1GB"},
          "batching": {"tokens": 64}})");
  const ProgramRun run = run_program({"offload", file.string()});
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(run.output, run_demo({"--cache", "1GB"}).output);
}

TEST(Offload, SaysWhatClashes) {
  ProgramRun run = run_demo({"--cache", "20MB"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors,
              AllOf(HasSubstr("a cache of 19.1 MiB has room for 1 of the experts"),
                    HasSubstr("but a token needs 6 at once")));
  run = run_demo({"--cache", "20"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("memory/cache"));
  run = run_demo({"--set", "prefetch.horizon=1", "--set", "prefetch.accuracy=2"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("a prediction's accuracy is between 0 and 1, not 2"));
  run = run_program({"offload", "--trace", "sample:demo"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("name the model (--model"));
  run = run_program({"offload", "sample:demo"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, HasSubstr("pass it with --trace sample:demo"));
}

TEST(Offload, ListsPoliciesAndSections) {
  EXPECT_THAT(run_program({"list", "cache_policies"}).output,
              AllOf(HasSubstr("belady"), HasSubstr("hobbit"), HasSubstr("lru")));
  EXPECT_THAT(run_program({"list", "offload", "prefetch"}).output,
              AllOf(HasSubstr("horizon"), HasSubstr("accuracy"), HasSubstr("known_ahead")));
  EXPECT_THAT(run_program({"list", "cache_policies", "hobbit"}).output, HasSubstr("recency"));
}

}  // namespace
}  // namespace switchyard::testing

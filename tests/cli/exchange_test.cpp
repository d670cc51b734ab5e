// `simulate` for one exchange: plain matrices in, flows and other programs' files out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "core/files/text_reader.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class OneExchange : public ::testing::Test {
 protected:
  OneExchange() {
    std::string text;
    for (int source = 0; source < 8; ++source) {
      for (int destination = 0; destination < 8; ++destination) {
        text += destination == 3 ? "4500000 " : "100000 ";
      }
      text += "\n";
    }
    folder_.write("bytes.txt", text);
  }

  ProgramRun simulate(std::vector<std::string> words) {
    words.insert(words.begin(), "simulate");
    return run_program(words, folder_.path());
  }

  std::string content(const std::string& name) { return read_text_file(folder_.path() / name); }

  TemporaryFolder folder_;
};

TEST_F(OneExchange, PricesAPlainMatrixAndNamesTheBottleneck) {
  const ProgramRun run =
      simulate({"--matrix", "bytes.txt", "--topology", "dgx_h100_8", "--network", "fluid"});
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output,
              AllOf(HasSubstr("8 ranks, 56 transfers"),
                    HasSubstr("busiest link"),
                    HasSubstr("what would help: twice the rate of")));
}

TEST_F(OneExchange, GivesTheSameTimeInEveryNetworkForOneHotColumn) {
  double times[3] = {};
  for (int i = 0; i < 3; ++i) {
    const char* names[] = {"bound", "fluid", "simgrid"};
    const ProgramRun run = simulate({"--matrix", "bytes.txt", "--network", names[i], "--json"});
    ASSERT_EQ(run.exit_code, 0) << run.errors;
    const json document = parse_json(run.output, {"output", ""});
    times[i] = document["time_s"].get<double>();
    EXPECT_GE(times[i], document["lower_bound_s"].get<double>() * (1 - 1e-12));
    EXPECT_EQ(document["rank_split"].size(), 8U);
  }
  // The receiver's link is never idle, so the bound is the time.
  EXPECT_NEAR(times[1], times[0], times[0] * 1e-9);
  EXPECT_NEAR(times[2], times[1], times[1] * 1e-9);
}

TEST_F(OneExchange, WritesFlowsMatricesAndOtherProgramsFiles) {
  const ProgramRun run = simulate({"--matrix",
                                   "bytes.txt",
                                   "--flows",
                                   "flows.csv",
                                   "--link-use",
                                   "use.csv",
                                   "--write-matrix",
                                   "again.txt",
                                   "--htsim",
                                   "layer.cm",
                                   "--goal",
                                   "layer.goal"});
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(content("flows.csv"),
              HasSubstr("source,destination,bytes,start_s,finish_s\n0,1,100000,0,"));
  EXPECT_THAT(content("use.csv"), AllOf(HasSubstr("link,start_s,end_s,use\n"), HasSubstr(",1\n")));
  EXPECT_THAT(content("again.txt"), HasSubstr("0 100000 100000 4500000"));
  EXPECT_THAT(content("layer.cm"), HasSubstr("Nodes 8\nConnections 56\n"));
  EXPECT_THAT(content("layer.goal"), HasSubstr("num_ranks 8\n"));
}

TEST_F(OneExchange, PricesALayerOfATrace) {
  const ProgramRun made = run_program({"route",
                                       "--steps",
                                       "1",
                                       "--tokens",
                                       "16",
                                       "--set",
                                       "workload.hidden=16",
                                       "-o",
                                       "t.safetensors"},
                                      folder_.path());
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const ProgramRun run = simulate({"--trace",
                                   "t.safetensors",
                                   "--set",
                                   "model.expert_hidden=64",
                                   "--layer",
                                   "0",
                                   "--direction",
                                   "combine",
                                   "--write-matrix",
                                   "m.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output, HasSubstr("step 0 layer 0 combine on"));
  const ProgramRun missing =
      simulate({"--trace", "t.safetensors", "--set", "model.expert_hidden=64", "--layer", "4000"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.errors, HasSubstr("step 0 has no layer 4000"));
}

TEST_F(OneExchange, RefusesWhatMakesNoSense) {
  const auto refused = [&](std::vector<std::string> words, int code, const std::string& message) {
    const ProgramRun run = simulate(std::move(words));
    EXPECT_EQ(run.exit_code, code) << message;
    EXPECT_THAT(run.errors, HasSubstr(message));
  };
  refused({"--flows", "x.csv"}, 2, "--flows: is about one exchange");
  refused({"--link-use", "x.csv"}, 2, "--link-use: is about one exchange");
  refused({"--matrix", "bytes.txt", "--layer", "3"}, 2, "a matrix has no layers");
  refused({"--matrix", "bytes.txt", "--save", "x.db"}, 2, "is for whole traces");
  refused({"--matrix", "bytes.txt", "--capacity", "drop"}, 2, "a plain matrix has no capacity");
  refused({"--matrix", "bytes.txt", "--all-to-all", "node_dedup"}, 3, "needs the expert ids");
  refused({"--matrix", "bytes.txt", "--network", "bound", "--flows", "x.csv"},
          3,
          "the network \"bound\" does not time transfers");
  refused(
      {"--matrix", "bytes.txt", "--all-to-all", "pairwise", "--flows", "x.csv", "--htsim", "x.cm"},
      3,
      "cannot say what waits for what");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "x.csv"));
}

}  // namespace
}  // namespace switchyard::testing

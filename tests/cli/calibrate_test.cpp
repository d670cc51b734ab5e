// `calibrate` and what it gives to `simulate`, as a user runs them.
#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kHeader =
    "source,hardware,op,ep_size,nodes,tokens_per_rank,hidden,topk,dtype_bytes,latency_us,"
    "bandwidth_GBps,bw_definition,note,latency_std_us,message_bytes,num_experts,num_sms\n";

class Calibrate : public ::testing::Test {
 protected:
  /// An all-to-all on 8 GPUs that needs 10 us and then 300 GB/s; sums, as --fix overlap=1 says.
  Calibrate() {
    std::string text = kHeader;
    for (int power = 16; power <= 29; ++power) {
      const double bytes = std::ldexp(1.0, power);
      const double microseconds = 10 + bytes * 7 / 8 / 300e9 * 1e6;
      text += fmt::format(
          "made up,8x H100,nccl_alltoall,8,1,,,,2,{:.4f},,,,,{:.0f},,\n", microseconds, bytes);
    }
    folder_.write("table.csv", text);
  }

  ProgramRun calibrate(std::vector<std::string> words) {
    words.insert(words.begin(), "calibrate");
    return run_program(words, folder_.path());
  }

  const std::vector<std::string> good_{"table.csv",
                                       "--topology",
                                       "dgx_h100_8",
                                       "--fix",
                                       "overlap=1",
                                       "--fix",
                                       "eager_rate=0GBps",
                                       "--fix",
                                       "bulk_latency=0us",
                                       "--fix",
                                       "pipeline_chunk=0B",
                                       "--hold-out",
                                       "50%"};
  TemporaryFolder folder_;
};

TEST_F(Calibrate, FindsTheConstantsAndPredictsTheHeldOutRows) {
  std::vector<std::string> words = good_;
  words.insert(words.end(), {"-o", "h100.json"});
  const ProgramRun run = calibrate(words);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.output, AllOf(HasSubstr("launch"), HasSubstr("held out"), HasSubstr("7 rows")));
  const json document = read_json_file(folder_.path() / "h100.json");
  const json& entry = document.at("entries").at(0);
  EXPECT_EQ(entry.at("direction"), "any");
  EXPECT_EQ(entry.at("dataset"), "table.csv");
  EXPECT_EQ(entry.at("fitted_rows").size(), 7U);
  for (const json& constant : entry.at("constants")) {
    if (constant.at("name") == "scale_up_rate") {
      EXPECT_THAT(constant.at("value").get<std::string>(), HasSubstr("GBps"));
      EXPECT_NEAR(std::stod(constant.at("value").get<std::string>()), 300, 3);
    }
  }
  EXPECT_LT(entry.at("error").at("held_out").at("p95").get<double>(), 0.01);
}

TEST_F(Calibrate, SimulatePrintsTheExpectedErrorAndTheRange) {
  std::vector<std::string> words = good_;
  words.insert(words.end(), {"-o", "h100.json"});
  ASSERT_EQ(calibrate(words).exit_code, 0);
  // The sample's tokens start on 16 ranks; 8 were fitted.
  const ProgramRun run = run_program({"simulate",
                                      "--trace",
                                      "sample:demo",
                                      "--model",
                                      "deepseek_v2_lite",
                                      "--topology",
                                      "hgx_h100_rail_64",
                                      "--ranks",
                                      "16",
                                      "--calibration",
                                      "h100.json",
                                      "--json"},
                                     folder_.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const std::string notes = json::parse(run.output).at("notes").dump();
  EXPECT_THAT(notes,
              AllOf(HasSubstr("calibrated by h100.json"),
                    HasSubstr("expected error median"),
                    HasSubstr("outside the calibration's range"),
                    HasSubstr("ranks 16 (fitted 8 to 8)"),
                    Not(HasSubstr("uncalibrated"))));
}

TEST_F(Calibrate, BuiltInConstantsBringTheirExpectedError) {
  const auto simulate = [&](const std::string& algorithm, const std::string& calibration) {
    return run_program({"simulate",
                        "--trace",
                        "sample:demo",
                        "--model",
                        "deepseek_v2_lite",
                        "--topology",
                        "hgx_h100_rail_64",
                        "--ranks",
                        "16",
                        "--all-to-all",
                        algorithm,
                        "--calibration",
                        calibration,
                        "--json"},
                       folder_.path());
  };
  const ProgramRun run = simulate("low_latency_direct", "deepep_low_latency_h100_nodes");
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const json expected = json::parse(run.output).at("expected_error");
  ASSERT_EQ(expected.at("phases").size(), 2U);
  EXPECT_EQ(expected["phases"][0].at("calibration"), "deepep_low_latency_h100_nodes");
  EXPECT_GT(expected["phases"][0].at("p95").get<double>(), 0);
  EXPECT_THAT(expected.at("outside_range").dump(), Not(HasSubstr("fitted low_latency_direct")));
  const ProgramRun other = simulate("direct", "deepep_low_latency_h100_nodes");
  EXPECT_THAT(json::parse(other.output).at("expected_error").at("outside_range").dump(),
              AllOf(HasSubstr("dispatch by direct (fitted low_latency_direct)"),
                    HasSubstr("combine by direct (fitted low_latency_direct)")));
  const ProgramRun wrong = simulate("direct", "deepep_low_latency_h100_node");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.errors,
              AllOf(HasSubstr("no calibration or file is called \"deepep_low_latency_h100_node\""),
                    HasSubstr("did you mean \"deepep_low_latency_h100_nodes\"?")));
}

TEST_F(Calibrate, ATopologyMayNameItsCalibration) {
  std::vector<std::string> words = good_;
  words.insert(words.end(), {"-o", "h100.json"});
  ASSERT_EQ(calibrate(words).exit_code, 0);
  folder_.write("machine/node.json", R"({"preset": "dgx_h100_8", "calibration": "../h100.json"})");
  std::string matrix;
  for (int row = 0; row < 8; ++row) {
    matrix += "1000000 1000000 1000000 1000000 1000000 1000000 1000000 1000000\n";
  }
  folder_.write("bytes.txt", matrix);
  const ProgramRun run = run_program(
      {"simulate", "--matrix", "bytes.txt", "--topology", "machine/node.json", "--json"},
      folder_.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  // 10 us + 0.5 us of links in the preset, and 7 MB at 300 GB/s.
  EXPECT_NEAR(json::parse(run.output).at("time_s").get<double>(), 33.6e-6, 1e-6);
}

TEST_F(Calibrate, ExplainsBadInput) {
  const auto message = [&](const std::vector<std::string>& words) {
    const ProgramRun run = calibrate(words);
    EXPECT_EQ(run.exit_code, 2) << run.output;
    return run.errors;
  };
  EXPECT_THAT(message({}), HasSubstr("no measurements are named"));
  EXPECT_THAT(message({"table.csv"}), HasSubstr("no machine is named"));
  EXPECT_THAT(message({"table.csv", "--topology", "dgx_h100_8", "--model", "colective"}),
              HasSubstr("did you mean \"collective\"?"));
  EXPECT_THAT(message({"table.csv", "--topology", "dgx_h100_8", "--fix", "lunch=3us"}),
              HasSubstr("did you mean \"launch\"?"));
  EXPECT_THAT(message({"table.csv", "--topology", "dgx_h100_8", "--fix", "launch=3"}),
              HasSubstr("no unit"));
  EXPECT_THAT(message({"table.csv", "--topology", "dgx_h100_8", "--hold-out", "ep_size=8"}),
              HasSubstr("holds out all 14 rows"));
  EXPECT_THAT(message({"table.csv", "--topology", "dgx_h100_8", "--hold-out", "95%"}),
              HasSubstr("too few"));
  folder_.write("nodes.csv", kHeader + "m,h,nccl_alltoall,8,2,,,,2,9,,,,,1024,,\n");
  EXPECT_THAT(message({"nodes.csv", "--topology", "dgx_h100_8"}), HasSubstr("measured on 2 nodes"));
  folder_.write("large.csv", kHeader + "m,h,nccl_alltoall,16,1,,,,2,9,,,,,1024,,\n");
  EXPECT_THAT(message({"large.csv", "--topology", "dgx_h100_8"}),
              HasSubstr("16 ranks do not fit on the 8 GPUs"));
}

TEST_F(Calibrate, ABadCalibrationFileIsRefusedWithThePlace) {
  folder_.write("bad.json",
                R"({"format_version": 1, "kind": "switchyard_calibration", "entries": [)"
                R"({"direction": "any", "model": "collective",)"
                R"("constants": [{"name": "launch", "value": "9"}]}]})");
  const ProgramRun run = run_program({"simulate",
                                      "--trace",
                                      "sample:demo",
                                      "--model",
                                      "deepseek_v2_lite",
                                      "--topology",
                                      "dgx_h100_8",
                                      "--calibration",
                                      "bad.json"},
                                     folder_.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, AllOf(HasSubstr("bad.json#/entries/0/constants/0"), HasSubstr("unit")));
}

}  // namespace
}  // namespace switchyard::testing

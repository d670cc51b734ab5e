// Expert GEMMs measured on an H100 and an H200 (docs/validation/expert_gemm.csv): what the device
// presets hold is what `calibrate` gives, and the simulator is near the measurements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "profiler/measurements/gemm_table.hpp"
#include "sim/model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

using nlohmann::json;

std::string measured_gemms() {
  return (source_folder() / "docs/validation/expert_gemm.csv").string();
}

ComputeDevice device_of(const json& compute) {
  Parameters parameters(compute, {"test", "#"});
  return read_device(parameters, "bf16");
}

void expect_same_rates(const GemmRates& got, const GemmRates& expected, const std::string& who) {
  EXPECT_DOUBLE_EQ(got.compute_efficiency, expected.compute_efficiency) << who;
  EXPECT_DOUBLE_EQ(got.memory_efficiency, expected.memory_efficiency) << who;
  EXPECT_DOUBLE_EQ(got.launch_overhead.count(), expected.launch_overhead.count()) << who;
  EXPECT_EQ(got.row_tile, expected.row_tile) << who;
}

TEST(GemmCalibration, PricesEveryModelFromTheOthersAndIsWhatPresetsHold) {
  const TemporaryFolder folder;
  const ProgramRun run = run_program({"calibrate", measured_gemms(), "--json"}, folder.path());
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const json document = json::parse(run.output);
  ASSERT_EQ(document.size(), 2U);
  for (const auto& [name, kernels] : document.items()) {
    ASSERT_EQ(kernels.size(), 2U) << name;
    const ComputeDevice preset = device_of({{"device", name}});
    for (const auto& [software, kernel] : kernels.items()) {
      const bool is_shared = software.ends_with("matmul");
      const json& unseen = kernel["error"]["from_the_others"];
      EXPECT_EQ(unseen["rows"], is_shared ? 18 : 48) << name;
      EXPECT_LE(unseen["median"].get<double>(), is_shared ? 0.07 : 0.05) << name << software;
      EXPECT_LE(unseen["p95"].get<double>(), 0.15) << name << software;
      EXPECT_LT(kernel["error"]["at_peak"]["bias"].get<double>(), -0.2) << "peak promises too much";
      expect_same_rates(is_shared ? preset.shared : preset.routed,
                        device_of(kernel["compute"]).routed,
                        name + ", " + software);
    }
  }
}

TEST(GemmCalibration, RefusesOptionsOfExchanges) {
  const TemporaryFolder folder;
  const ProgramRun run =
      run_program({"calibrate", measured_gemms(), "--topology", "dgx_h100_8"}, folder.path());
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.errors, ::testing::HasSubstr("--topology"));
}

TEST(ComputeRates, ChooseWhatDefaultsAre) {
  const ComputeDevice peak = device_of({{"rates", "peak"}, {"row_tile", 64}});
  expect_same_rates(peak.routed, {.row_tile = 64}, "peak");
  expect_same_rates(peak.shared, {.row_tile = 64}, "shared experts as the routed ones");
  expect_same_rates(device_of({{"device", "a100_sxm"}}).routed, {}, "nobody measured it");
  const ComputeDevice changed = device_of({{"memory_efficiency", 0.5}});
  EXPECT_EQ(changed.routed.memory_efficiency, 0.5);
  EXPECT_GT(changed.shared.memory_efficiency, 0.8) << "measured by itself";
  EXPECT_EQ(device_of({{"shared_launch_overhead", "3us"}}).shared.launch_overhead.count(), 3e-6);
}

TEST(ComputeRates, RowsCostWholeTiles) {
  const ComputeDevice device = device_of({{"rates", "peak"}, {"row_tile", 256}});
  ModelCost model;
  model.hidden = 4096;
  model.expert_hidden = 14336;
  model.experts = 2;
  const auto seconds = [&](std::int64_t rows) {
    Matrix<std::int64_t> counts(1, 2);
    counts(0, 1) = rows;
    return expert_work(device, model, counts).front().compute_s;
  };
  EXPECT_GT(seconds(512), 0) << "bound by arithmetic";
  EXPECT_DOUBLE_EQ(seconds(511), seconds(512));
  EXPECT_DOUBLE_EQ(seconds(513), 1.5 * seconds(512));
  EXPECT_EQ(seconds(10), 0) << "ten rows are bound by their weights, whatever the tile";
}

TEST(GemmTable, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto refuse = [&](const std::string& line, const std::string& words) {
    folder.write("gemm.csv",
                 "device,software,model,experts,hidden,expert_hidden,tokens,rows_of_experts,up_us,"
                 "down_us\n" +
                     line + "\n");
    expect_error<InvalidInput>([&] { (void)read_gemm_table(folder.path() / "gemm.csv"); }, words);
  };
  refuse("h100_sxm,s,m,2,64,64,3,1 2 3,5,5", "line 2: rows_of_experts must be 2 counts");
  refuse("h100_sxm,s,m,2,64,64,3,1 x,5,5", "must be 2 counts");
  refuse("h100_sxm,s,m,2,64,64,0,0 0,5,5", "one above 0 among them");
  refuse("h100_sxm,s,m,2,64,64,3,1 2,0,0", "must be above 0");
  refuse("h100_sxm,s,m,2,64,64,3,1 2,-5,5", "up_us");
  refuse("h100_sxm,s,m,2,64,64,3,1 2,5", "9 fields under 10 columns");
  EXPECT_FALSE(is_gemm_table(folder.path() / "missing.csv"));
}

}  // namespace
}  // namespace switchyard::testing

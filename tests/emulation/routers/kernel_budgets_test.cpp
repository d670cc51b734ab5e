// Gates on what nvcc and ptxas made of the kernels: counters of the PTX machine against a committed
// table, registers against a committed ceiling, and no spills at all.
#include <fstream>
#include <sstream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/group_top_k_runs.hpp"
#include "tests/emulation/routers/layout_runs.hpp"
#include "tests/emulation/routers/ptx_top_k.hpp"

namespace switchyard {
namespace {

constexpr std::int32_t kTokens = 256;
// Below this share of a budget, the budget is out of date. Architectures differ by up to 15 %.
constexpr double kProgress = 0.8;

/// The rows of a table beside this file, split at commas; '#' starts a comment line.
std::vector<std::vector<std::string>> table(const std::string& name) {
  std::ifstream file(SWITCHYARD_SOURCE_DIR "/tests/emulation/routers/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream cells(line);
    auto& row = rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) {
      row.push_back(cell);
    }
  }
  return rows;
}

void expect_within(double measured, double budget, const std::string& what) {
  EXPECT_LE(measured, budget) << what << " went up";
  EXPECT_GE(measured, kProgress * budget) << what << " went down: lower the budget";
}

/// Counters of kTokens tokens against the budgets of a table row; prints what it measured.
void expect_counters(const PtxCounters& counters,
                     const std::string& instruction_budget,
                     const std::string& sector_budget,
                     const std::string& what) {
  const double instructions = static_cast<double>(counters.warp_instructions) / kTokens;
  const double sectors = static_cast<double>(counters.sectors()) / kTokens;
  expect_within(instructions, std::stod(instruction_budget), what + ": instructions");
  expect_within(sectors, std::stod(sector_budget), what + ": sectors");
  EXPECT_EQ(counters.shared_wavefronts, 0U) << what;
  fmt::print("{}: {:.1f} warp instructions, {:.2f} sectors a token\n", what, instructions, sectors);
}

LogitType type_called(const std::string& tag) {
  return tag == "f32"    ? LogitType::Float32
         : tag == "bf16" ? LogitType::Bfloat16
                         : LogitType::Float16;
}

TEST(KernelBudgets, CountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("counter_budgets.csv")) {
    ASSERT_EQ(row.size(), 6U);
    const TopKCase test{.shape = {.logit_type = type_called(row[0]),
                                  .tokens = kTokens,
                                  .experts = std::stoi(row[1]),
                                  .slots = std::stoi(row[2])},
                        .is_renormalised = row[3] == "chosen",
                        .has_hard_rows = false};
    const LogitBuffer logits = make_logits(test);
    for (const CompiledKernels& compiled : compiled_kernels()) {
      const PtxCounters counters = ptx_top_k(compiled.module, test, logits, 0).counters;
      expect_counters(counters, row[4], row[5], test.name() + " for " + compiled.module.target);
    }
  }
}

TEST(KernelBudgets, GroupLimitedCountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("group_top_k_budgets.csv")) {
    ASSERT_EQ(row.size(), 7U);
    GroupTopKCase test;
    test.rows.shape = {.logit_type = type_called(row[0]),
                       .tokens = kTokens,
                       .experts = std::stoi(row[1]),
                       .slots = std::stoi(row[2])};
    test.rows.has_hard_rows = false;
    test.groups = std::stoi(row[3]);
    test.kept_groups = std::stoi(row[4]);
    const LogitBuffer logits = make_logits(test.rows);
    for (const CompiledKernels& compiled : compiled_kernels()) {
      const PtxCounters counters =
          ptx_group_top_k(compiled.module, test, logits, {.multiprocessors = 0}).counters;
      expect_counters(counters, row[5], row[6], test.name() + " for " + compiled.module.target);
    }
  }
}

TEST(KernelBudgets, LayoutCountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  constexpr std::int32_t kLayoutTokens = 1024;
  for (const auto& row : table("layout_budgets.csv")) {
    ASSERT_EQ(row.size(), 8U);
    const LayoutInput input(
        {.tokens = kLayoutTokens,
         .slots = std::stoi(row[1]),
         .experts = std::stoi(row[2]),
         .ranks = std::stoi(row[3]),
         .ranks_per_node = std::stoi(row[4]),
         .order = row[0] == "slot_major" ? ChoiceOrder::SlotMajor : ChoiceOrder::TokenMajor});
    for (const CompiledKernels& compiled : compiled_kernels()) {
      const PtxLayoutRun run = ptx_layout(compiled.module, input, {.chunk_tokens = 256});
      const auto per_token = [](std::uint64_t count, std::uint64_t place) {
        return static_cast<double>(count + place) / kLayoutTokens;
      };
      const double instructions =
          per_token(run.count.warp_instructions, run.place.warp_instructions);
      const double sectors = per_token(run.count.sectors(), run.place.sectors());
      const double wavefronts = per_token(run.count.shared_wavefronts, run.place.shared_wavefronts);
      const std::string what = input.test.name() + " for " + compiled.module.target;
      expect_within(instructions, std::stod(row[5]), what + ": instructions");
      expect_within(sectors, std::stod(row[6]), what + ": sectors");
      expect_within(wavefronts, std::stod(row[7]), what + ": shared wavefronts");
      fmt::print("{}: {:.1f} warp instructions, {:.2f} sectors, {:.2f} shared wavefronts a token\n",
                 what,
                 instructions,
                 sectors,
                 wavefronts);
    }
  }
}

TEST(KernelBudgets, NoKernelSpillsOrExceedsItsRegisterCeiling) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  std::map<std::string, int> ceilings;
  for (const auto& row : table("register_ceilings.csv")) {
    ASSERT_EQ(row.size(), 2U);
    ceilings[row[0]] = std::stoi(row[1]);
  }
  for (const CompiledKernels& compiled : compiled_kernels()) {
    EXPECT_EQ(compiled.resources.size(), ceilings.size()) << "a kernel lacks its ceiling";
    for (const auto& [kernel, resources] : compiled.resources) {
      const std::string what = kernel + " for sm_" + compiled.architecture;
      EXPECT_EQ(resources.spill_bytes, 0) << what;
      EXPECT_EQ(resources.stack_bytes, 0) << what;
      EXPECT_LE(resources.registers, ceilings[kernel]) << what;
      EXPECT_GT(resources.registers, 0) << what;
    }
  }
}

TEST(PtxasReport, IsReadWithSpillsAndSharedMemory) {
  const auto resources = parse_ptxas_report(
      "ptxas info    : Compiling entry function 'first' for 'sm_90'\n"
      "ptxas info    : Function properties for first\n"
      "    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads\n"
      "ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem, 8 bytes cmem[0]\n"
      "ptxas info    : Compiling entry function 'second' for 'sm_90'\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 7 registers, used 0 barriers\n");
  ASSERT_EQ(resources.size(), 2U);
  EXPECT_EQ(resources.at("first").stack_bytes, 8);
  EXPECT_EQ(resources.at("first").spill_bytes, 28);
  EXPECT_EQ(resources.at("first").registers, 40);
  EXPECT_EQ(resources.at("first").shared_bytes, 2048);
  EXPECT_EQ(resources.at("second").registers, 7);
  EXPECT_EQ(resources.at("second").spill_bytes, 0);
}

}  // namespace
}  // namespace switchyard

// Gates on what nvcc and ptxas made of the kernels: counters of the PTX machine against a committed
// table, registers against a committed ceiling, and no spills at all.
#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "kernels/device/complete_route_on_device.hpp"
#include "kernels/device/dispatch_layout_on_device.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"
#include "tests/emulation/routers/budget_tables.hpp"
#include "tests/emulation/routers/device_routers.hpp"
#include "tests/emulation/routers/group_top_k_runs.hpp"
#include "tests/emulation/routers/layout_runs.hpp"
#include "tests/emulation/routers/top_k_runs.hpp"

namespace switchyard {
namespace {

constexpr std::int32_t kTokens = 256;
// A budget holds for every architecture; when even the dearest one needs less than this share of
// it, the budget is out of date.
constexpr double kProgress = 0.9;

std::vector<std::vector<std::string>> table(const std::string& name) {
  return budget_rows("tests/emulation/routers/" + name);
}

/// One budget of a table row, held against every architecture.
class Budget {
 public:
  Budget(const std::string& cell, std::string what)
      : budget_(std::stod(cell)), what_(std::move(what)) {}

  void spend(double measured, const std::string& target) {
    EXPECT_LE(measured, budget_) << what_ << " went up on " << target;
    fmt::print("{} on {}: {:.2f} a token\n", what_, target, measured);
    highest_ = std::max(highest_, measured);
  }

  void expect_up_to_date() const {
    EXPECT_GE(highest_, kProgress * budget_) << what_ << " went down: lower the budget";
  }

 private:
  double budget_;
  std::string what_;
  double highest_ = 0;
};

/// Warp instructions, sectors and shared-memory wavefronts per token.
class CounterBudgets {
 public:
  /// The three cells of `row` from `first` on.
  CounterBudgets(const std::vector<std::string>& row, std::size_t first, const std::string& what)
      : instructions_(row.at(first), what + ": warp instructions"),
        sectors_(row.at(first + 1), what + ": sectors"),
        wavefronts_(row.at(first + 2), what + ": shared wavefronts") {}

  void spend(const PtxCounters& counters, std::int32_t tokens, const std::string& target) {
    const auto of_token = [&](std::uint64_t count) { return static_cast<double>(count) / tokens; };
    instructions_.spend(of_token(counters.warp_instructions), target);
    sectors_.spend(of_token(counters.sectors()), target);
    wavefronts_.spend(of_token(counters.shared_wavefronts), target);
  }

  void expect_up_to_date() const {
    instructions_.expect_up_to_date();
    sectors_.expect_up_to_date();
    wavefronts_.expect_up_to_date();
  }

 private:
  Budget instructions_;
  Budget sectors_;
  Budget wavefronts_;
};

LogitType type_called(const std::string& tag) {
  return tag == "f32"    ? LogitType::Float32
         : tag == "bf16" ? LogitType::Bfloat16
                         : LogitType::Float16;
}

TEST(KernelBudgets, CountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("counter_budgets.csv")) {
    ASSERT_EQ(row.size(), 7U);
    const TopKCase test{.shape = {.logit_type = type_called(row[0]),
                                  .tokens = kTokens,
                                  .experts = std::stoi(row[1]),
                                  .slots = std::stoi(row[2])},
                        .is_renormalised = row[3] == "chosen",
                        .has_hard_rows = false};
    const LogitBuffer logits = make_logits(test);
    CounterBudgets budgets(row, 4, test.name());
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module, 0);
      run_top_k(device, test, logits);
      budgets.spend(device.counters(), kTokens, compiled.module.target);
    }
    budgets.expect_up_to_date();
  }
}

TEST(KernelBudgets, GroupLimitedCountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("group_top_k_budgets.csv")) {
    ASSERT_EQ(row.size(), 8U);
    GroupTopKCase test;
    test.rows.shape = {.logit_type = type_called(row[0]),
                       .tokens = kTokens,
                       .experts = std::stoi(row[1]),
                       .slots = std::stoi(row[2])};
    test.rows.has_hard_rows = false;
    test.groups = std::stoi(row[3]);
    test.kept_groups = std::stoi(row[4]);
    const LogitBuffer logits = make_logits(test.rows);
    CounterBudgets budgets(row, 5, test.name());
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module, 0);
      run_group_top_k(device, test, logits);
      budgets.spend(device.counters(), kTokens, compiled.module.target);
    }
    budgets.expect_up_to_date();
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
    CounterBudgets budgets(row, 5, input.test.name());
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module);
      const DeviceStandIn stand_in(device);
      dispatch_layout_on_device(input.request(), 256);
      budgets.spend(device.counters(), kLayoutTokens, compiled.module.target);
    }
    budgets.expect_up_to_date();
  }
}

TEST(KernelBudgets, CompleteRouteCountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("complete_route_budgets.csv")) {
    ASSERT_EQ(row.size(), 7U);
    const auto tokens = static_cast<std::size_t>(std::stoul(row[0]));
    const auto experts = static_cast<std::size_t>(std::stoul(row[1]));
    const std::size_t launches = std::stoul(row[3]);
    const Matrix<float> logits = normal_matrix(tokens, experts, 9);
    std::vector<std::int32_t> ranks;
    for (std::size_t expert = 0; expert < experts; ++expert) {
      ranks.push_back(static_cast<std::int32_t>(expert % 32));
    }
    CounterBudgets budgets(
        row, 4, fmt::format("complete route, {} tokens, {} experts", tokens, experts));
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module);
      const DeviceStandIn stand_in(device);
      complete_route_on_device(logits.view(),
                               {.slots = std::stoul(row[2])},
                               {.expert_to_rank = ranks, .ranks = 32, .ranks_per_node = 8});
      EXPECT_EQ(device.launches(), launches);
      budgets.spend(device.counters(), static_cast<std::int32_t>(tokens), compiled.module.target);
    }
    budgets.expect_up_to_date();
  }
}

TEST(KernelBudgets, RouterCountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  for (const auto& row : table("router_budgets.csv")) {
    ASSERT_EQ(row.size(), 7U);
    DeviceRouterCase test{.router = row[0],
                          .tokens = kTokens,
                          .experts = static_cast<std::size_t>(std::stoi(row[1]))};
    if (!row[2].empty()) {
      test.parameters[row[2]] = nlohmann::json::parse(row[3]);
    }
    CounterBudgets budgets(row, 4, test.name());
    for (const CompiledKernels& compiled : compiled_kernels()) {
      PtxDevice device(compiled.module, 0);
      const DeviceStandIn stand_in(device);
      route_ordinary_layer(test, "cuda");
      budgets.spend(device.counters(), kTokens, compiled.module.target);
    }
    budgets.expect_up_to_date();
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

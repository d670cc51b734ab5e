// Counters of the routers that look at hidden states against a committed table, and the overhead of
// Adaptive Clustering over a plain gate (check ACM-4 of the design notes).
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/hidden/clustered_gate.hpp"
#include "kernels/router.hpp"
#include "tests/emulation/hidden/every_device.hpp"
#include "tests/emulation/routers/budget_tables.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kTokens = 256;
constexpr std::size_t kBudgetWidth = 4096;
// When even the dearest architecture needs less than this share of a budget, it is out of date.
constexpr double kProgress = 0.9;

struct Workload {
  explicit Workload(std::size_t experts)
      : hidden(kTokens, kBudgetWidth),
        gate(experts, kBudgetWidth),
        before(RoutingDecision::empty(kTokens, 2)),
        labels(kTokens) {
    RandomStream random(31, {experts});
    random.fill_normal(hidden.values());
    random.fill_normal(gate.values());
    for (std::size_t token = 0; token < kTokens; ++token) {
      labels[token] = static_cast<std::int32_t>(random.index(experts));
      before.expert_ids(token, 0) = labels[token];
      before.weights(token, 0) = 1.0F;
    }
  }

  void route(const std::string& router, nlohmann::json values, std::int64_t layer) const {
    values["executor"] = "cuda";
    Parameters parameters(values, {});
    Registry<Router>::instance()
        .create(router, "router", parameters)
        ->route({.hidden = hidden.view(),
                 .gate = gate.view(),
                 .previous_layer = &before,
                 .layer = layer});
  }

  Matrix<float> hidden;
  Matrix<float> gate;
  RoutingDecision before;
  std::vector<std::int32_t> labels;
};

void run_stage(const std::string& stage, const Workload& workload) {
  const nlohmann::json none = nlohmann::json::object();
  if (stage == "plain_gate") {
    workload.route("ac", none, 0);
  } else if (stage == "clustered_gate") {
    workload.route("ac", none, 4);
  } else if (stage == "cluster_weights") {
    cluster_weights_on_device(
        workload.hidden.view(), workload.labels, workload.gate.rows(), ClusterWeightOptions{});
  } else if (stage == "lory") {
    workload.route("lory", {{"k", 8}, {"segment_length", 64}}, 0);
  } else if (stage == "locmoe") {
    workload.route("locmoe", none, 0);
  } else if (stage == "etr_token") {
    workload.route("etr", {{"mode", "token"}}, 0);
  } else if (stage == "etr_hybrid") {
    workload.route("etr", none, 0);
  } else {
    FAIL() << "no stage is called " << stage;
  }
}

struct StageCounters {
  std::size_t launches = 0;
  double instructions = 0;  // a token, as the others
  double sectors = 0;
  double wavefronts = 0;
};

/// Counted once for each architecture, stage and number of experts.
StageCounters count_stage(const CompiledKernels& compiled,
                          const std::string& stage,
                          std::size_t experts) {
  static std::map<std::tuple<std::string, std::string, std::size_t>, StageCounters> known;
  const std::tuple key(compiled.module.target, stage, experts);
  if (const auto found = known.find(key); found != known.end()) {
    return found->second;
  }
  const Workload workload(experts);
  // The launch plan of a large device.
  PtxDevice device(compiled.module, 132);
  const DeviceStandIn stand_in(device);
  run_stage(stage, workload);
  const PtxCounters& counters = device.counters();
  const auto a_token = [](std::uint64_t count) { return static_cast<double>(count) / kTokens; };
  return known[key] = {.launches = device.launches(),
                       .instructions = a_token(counters.warp_instructions),
                       .sectors = a_token(counters.sectors()),
                       .wavefronts = a_token(counters.shared_wavefronts)};
}

TEST(HiddenBudgets, CountersStayWithinTheCommittedTable) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  const auto table = budget_rows("tests/emulation/hidden/hidden_budgets.csv");
  ASSERT_FALSE(table.empty());
  for (const auto& row : table) {
    ASSERT_EQ(row.size(), 6U);
    StageCounters highest;
    for (const CompiledKernels& compiled : compiled_kernels()) {
      const StageCounters counted = count_stage(compiled, row[0], std::stoul(row[1]));
      fmt::print(
          "{}, {} experts on {}: {} launches, {:.1f} instructions, {:.1f} sectors, {:.2f} "
          "wavefronts a token\n",
          row[0],
          row[1],
          compiled.module.target,
          counted.launches,
          counted.instructions,
          counted.sectors,
          counted.wavefronts);
      EXPECT_EQ(counted.launches, std::stoul(row[2])) << row[0];
      highest = {.launches = counted.launches,
                 .instructions = std::max(highest.instructions, counted.instructions),
                 .sectors = std::max(highest.sectors, counted.sectors),
                 .wavefronts = std::max(highest.wavefronts, counted.wavefronts)};
    }
    const auto expect_spent = [&row](double spent, std::size_t column) {
      EXPECT_LE(spent, std::stod(row[column])) << row[0] << " went up, column " << column;
      EXPECT_GE(spent, kProgress * std::stod(row[column]))
          << row[0] << " went down: lower the budget, column " << column;
    };
    expect_spent(highest.instructions, 3);
    expect_spent(highest.sectors, 4);
    expect_spent(highest.wavefronts, 5);
  }
}

TEST(HiddenBudgets, ClustersCostLessThanTwoPerCentOfALayer) {
  SWITCHYARD_NEEDS_COMPILED_KERNELS();
  // H100 SXM data sheet: 989 TFLOP/s dense bf16, 3.35 TB/s, 132 multiprocessors at 1.755 GHz with
  // four schedulers each.
  constexpr double kFlops = 989e12;
  constexpr double kBandwidth = 3.35e12;
  constexpr double kIssue = 132 * 4 * 1.755e9;
  // Two experts of three matrices of 4096 x 14336 (Mixtral), and of two of 4096 x 16384 (Switch).
  constexpr double kMixtral = 2.0 * 3 * 2 * 4096 * 14336 / kFlops;
  constexpr double kSwitch = 2.0 * 2 * 2 * 4096 * 16384 / kFlops;
  // The statistics read each token twice from memory; cluster weights fit the second-level cache.
  constexpr double kMemory = 2 * kBudgetWidth * sizeof(float) / kBandwidth;
  for (const CompiledKernels& compiled : compiled_kernels()) {
    const double more = count_stage(compiled, "clustered_gate", 8).instructions -
                        count_stage(compiled, "plain_gate", 8).instructions;
    const double time = std::max(kMemory, more / kIssue);
    fmt::print(
        "{}: clusters add {:.0f} instructions, {:.2f} ns a token: {:.2f} % of a Mixtral "
        "layer, {:.2f} % of a Switch layer\n",
        compiled.module.target,
        more,
        time * 1e9,
        100 * time / kMixtral,
        100 * time / kSwitch);
    EXPECT_LT(time, 0.02 * kMixtral);
    EXPECT_LT(time, 0.02 * kSwitch);
    EXPECT_LT(more / kIssue, kMemory) << "the statistics are no longer bound by memory";
  }
}

}  // namespace
}  // namespace switchyard

// Checks of Read-ME (arXiv 2410.19123), MC-MoE (arXiv 2410.06270) and the stored forms of MPOE and
// MoR1E.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/offload/bit_allocation.hpp"
#include "sim/offload/offload_scenario.hpp"
#include "tests/support/offload.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expert_of_one_byte;
using testing::make_policy;
using testing::random_stream;

// Requests of one token each that use the same two experts in every layer; Zipf(`skew`) popularity.
std::shared_ptr<const RoutingData> layer_constant_trace(double skew, std::size_t kinds) {
  constexpr std::int64_t kTokens = 2048;
  constexpr std::int64_t kLayers = 4;
  RandomStream random(17, {5});
  std::vector<std::int32_t> of_layer;
  for (std::int64_t token = 0; token < kTokens; ++token) {
    double total = 0;
    for (std::size_t i = 0; i < kinds; ++i) {
      total += std::pow(static_cast<double>(i + 1), -skew);
    }
    double at = random.uniform() * total;
    std::int32_t first = 0;
    while ((at -= std::pow(first + 1.0, -skew)) > 0) {
      ++first;
    }
    of_layer.push_back(first);
    of_layer.push_back((first + 3) % 8);
  }
  TraceColumns columns;
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    columns.chunks.push_back(
        {.step = 0, .layer = layer, .first_row = layer * kTokens, .row_count = kTokens});
    columns.expert_ids.insert(columns.expert_ids.end(), of_layer.begin(), of_layer.end());
  }
  TraceMetadata metadata{.model = {.hidden = 64, .experts = 8, .top_k = 2, .layers = kLayers}};
  return std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns)));
}

double unique_experts(const RoutingData& routing, bool is_expert_aware) {
  const BatchRule rule{.tokens = 16, .is_expert_aware = is_expert_aware, .waiting = 128};
  const AccessStream stream = read_accesses(std::get<RoutingTrace>(routing), rule, {});
  return replay_offload(stream, expert_of_one_byte(stream, make_policy("lru"), 32)).unique_experts;
}

TEST(ReadMePaper, ExpertAwareBatchesNeedFewerExperts) {  // RME-2
  const auto mixed = layer_constant_trace(1, 8);
  EXPECT_LE(unique_experts(*mixed, true), 0.8 * unique_experts(*mixed, false));
  const auto equal = layer_constant_trace(1, 1);
  EXPECT_NEAR(unique_experts(*equal, true) / unique_experts(*equal, false), 1, 0.01);
}

TEST(ReadMePaper, RandomLosesToLruWhereRequestsRepeat) {  // RME-1; Belady: contract tests
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const AccessStream stream =
        random_stream(seed, {.passes = 2000, .layers = 1, .experts = 8, .top_k = 1, .skew = 1.2});
    for (std::int64_t capacity = 2; capacity <= 5; ++capacity) {
      const auto hits = [&](const std::string& policy) {
        return replay_offload(stream, expert_of_one_byte(stream, make_policy(policy), capacity))
            .counts.hit_ratio();
      };
      EXPECT_GE(hits("belady"), hits("lru"));
      EXPECT_GE(hits("lru"), hits("random") - 0.01) << "seed " << seed << ", " << capacity;
    }
  }
}

double total_cost(const Matrix<double>& costs,
                  const std::vector<std::int64_t>& bits,
                  const BitRules& rules) {
  double total = 0;
  for (std::size_t expert = 0; expert < bits.size(); ++expert) {
    const auto width = std::find(rules.widths.begin(), rules.widths.end(), bits[expert]);
    total += costs(expert, static_cast<std::size_t>(width - rules.widths.begin()));
  }
  return total;
}

// Every assignment of 1, 2 or 3 bits to eight experts, one of them 2 and one 3.
double best_by_trying_all(const Matrix<double>& costs, std::int64_t budget, bool is_exact) {
  double best = 1e300;
  for (int code = 0; code < 6561; ++code) {
    std::vector<std::int64_t> bits(8);
    int rest = code;
    for (std::int64_t& width : bits) {
      width = 1 + rest % 3;
      rest /= 3;
    }
    const std::int64_t sum = std::accumulate(bits.begin(), bits.end(), std::int64_t{0});
    const bool has_both =
        std::count(bits.begin(), bits.end(), 2) > 0 && std::count(bits.begin(), bits.end(), 3) > 0;
    if (has_both && (is_exact ? sum == budget : sum <= budget)) {
      best = std::min(best, total_cost(costs, bits, {}));
    }
  }
  return best;
}

TEST(McMoEPaper, BitAllocationIsTheBestOfAll) {  // MC-1
  RandomStream random(4, {9});
  for (int trial = 0; trial < 5; ++trial) {
    std::vector<double> frequency(8);
    std::vector<double> weight(8);
    Matrix<double> error(8, 3);
    for (std::size_t expert = 0; expert < 8; ++expert) {
      frequency[expert] = random.uniform();
      weight[expert] = random.uniform();
      for (double& value : error.row(expert)) {
        value = random.uniform();  // not even falling
      }
    }
    const Matrix<double> costs = bit_costs(frequency, weight, error, {});
    for (std::int64_t budget = 12; budget <= 20; ++budget) {
      for (const bool is_exact : {true, false}) {
        const BitRules rules{.is_exact = is_exact};
        const auto bits = allocate_bits(costs, budget, rules);
        ASSERT_EQ(bits.size(), 8U);
        EXPECT_DOUBLE_EQ(total_cost(costs, bits, rules),
                         best_by_trying_all(costs, budget, is_exact));
      }
    }
  }
}

TEST(McMoEPaper, AllocationSaysWhenThereIsNone) {
  const Matrix<double> costs(8, 3, 1.0);
  EXPECT_TRUE(allocate_bits(costs, 10, {}).empty()) << "3 + 2 + 6 x 1 = 11 at least";
  EXPECT_FALSE(allocate_bits(costs, 11, {}).empty());
  EXPECT_TRUE(allocate_bits(costs, 24, {}).empty()) << "one must have 2 bits: 23 at most";
}

json mixtral_document() {
  return {{"model",
           {{"hidden", 4096},
            {"expert_hidden", 14336},
            {"experts", 8},
            {"top_k", 2},
            {"dtype", "fp16"}}},
          {"compute", {{"device", "rtx_4090"}}},
          {"memory", {{"cached_experts", 4}, {"split", "equal"}}},
          {"precision", {{"scale_bits", 0}}}};
}

std::shared_ptr<const RoutingData> uniform_trace() {
  constexpr std::int64_t kTokens = 1500;
  constexpr std::int64_t kLayers = 4;
  RandomStream random(23, {1});
  TraceColumns columns;
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    columns.chunks.push_back(
        {.step = 0, .layer = layer, .first_row = layer * kTokens, .row_count = kTokens});
    for (std::int64_t token = 0; token < kTokens; ++token) {
      const auto first = static_cast<std::int32_t>(random.index(8));
      const auto other = static_cast<std::int32_t>(random.index(7));
      columns.expert_ids.push_back(first);
      columns.expert_ids.push_back(other < first ? other : other + 1);
    }
  }
  TraceMetadata metadata{.model = {.hidden = 4096, .experts = 8, .top_k = 2, .layers = kLayers}};
  return std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns)));
}

OffloadResult run(const json& document, const std::shared_ptr<const RoutingData>& routing) {
  const OffloadScenario scenario = load_offload(document, {"test", ""}, routing);
  return replay_offload(scenario.stream, scenario.setup);
}

TEST(McMoEPaper, LoadsShrinkWithTheBitsAndTheSpeedUpSaturates) {  // MC-2
  const auto routing = uniform_trace();
  json document = mixtral_document();
  const OffloadResult full = run(document, routing);
  document["precision"]["average_bits"] = 2.54;
  const OffloadScenario scenario = load_offload(document, {"test", ""}, routing);
  const OffloadResult mixed = replay_offload(scenario.stream, scenario.setup);
  const double mean_bits =
      static_cast<double>(std::accumulate(
          scenario.bytes.bits.begin(), scenario.bytes.bits.end(), std::int64_t{0})) /
      static_cast<double>(scenario.bytes.bits.size());
  EXPECT_NEAR(mean_bits, 2.5, 1e-12) << "20 of 20.32 bits of a layer";
  // The same number of experts stays cached (slots of the widest), so that misses compare.
  EXPECT_NEAR(
      static_cast<double>(mixed.links[0].bytes()) / static_cast<double>(full.links[0].bytes()),
      mean_bits / 16,
      0.05 * mean_bits / 16);
  const double free_speed_up = full.total_s / mixed.total_s;
  EXPECT_LT(free_speed_up, 16 / 2.5 * 1.02);
  document["precision"]["expand_rate"] = "100GBps";
  const double speed_up = full.total_s / run(document, routing).total_s;
  EXPECT_LT(speed_up, free_speed_up);
  EXPECT_GT(speed_up, 1);
}

TEST(MpoePaper, OnlyThePrivatePartOfAnExpertIsLoaded) {
  const auto trace = layer_constant_trace(1, 8);
  json document = mixtral_document();
  document["model"]["hidden"] = 64;
  document["model"]["expert_hidden"] = 256;
  const OffloadResult full = run(document, trace);
  document["model"]["weights"] = "mpo";
  document["model"]["mpo_input"] = {2, 2, 4, 2, 2};
  document["model"]["mpo_output"] = {2, 2, 16, 2, 2};
  const OffloadScenario scenario = load_offload(document, {"test", ""}, trace);
  const ExpertSize size = expert_size(scenario.model);
  const OffloadResult shared = replay_offload(scenario.stream, scenario.setup);
  EXPECT_EQ(shared.counts, full.counts) << "as many experts are loaded";
  EXPECT_EQ(shared.links[0].bytes() * (3 * 64 * 256 * 2),
            full.links[0].bytes() * size.private_bytes);
  EXPECT_EQ(scenario.shared_bytes, 4 * size.shared_bytes);
}

TEST(MoR1EPaper, AdaptersAreVectorsAndASequenceNeedsOneSet) {
  const auto trace = layer_constant_trace(1, 1);
  json document = mixtral_document();
  document["model"] = {{"hidden", 64}, {"expert_hidden", 256}, {"weights", "rank_one"}};
  document["memory"] = {{"cached_experts", 8}};
  const OffloadScenario scenario = load_offload(document, {"test", ""}, trace);
  EXPECT_EQ(scenario.bytes.high.front(), 3 * (64 + 256) * 2);
  const OffloadResult result = replay_offload(scenario.stream, scenario.setup);
  EXPECT_EQ(result.counts.loads, 2 * 4) << "two adapters in each of four layers, once";
}

}  // namespace
}  // namespace switchyard

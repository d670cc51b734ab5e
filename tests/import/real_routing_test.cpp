// Public routing traces, against the figures that their publishers computed from them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/importing.hpp"
#include "tests/support/real_data.hpp"
#include "traces/importer.hpp"
#include "traces/reading/placement_table.hpp"
#include "traces/summary.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::import_routing;

// Share of selections, and gate weight per token, of every expert of a layer.
struct Shares {
  std::vector<double> tokens;
  std::vector<double> gates;
};

Shares shares_of(const RoutingTrace& trace, const Chunk& chunk) {
  Shares shares{std::vector<double>(trace.expert_count()),
                std::vector<double>(trace.expert_count())};
  const ExpertIds ids = trace.expert_ids(chunk);
  const auto weights = trace.gate_weights(chunk);
  const auto rows = static_cast<double>(chunk.row_count);
  for (std::size_t row = 0; row < ids.rows(); ++row) {
    for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
      const auto expert = static_cast<std::size_t>(ids.at(row, choice));
      shares.tokens[expert] += 1 / (rows * static_cast<double>(ids.top_k()));
      shares.gates[expert] += double{weights->at(row, choice)} / rows;
    }
  }
  return shares;
}

void expect_published_shares(const std::filesystem::path& folder) {
  EXPECT_EQ(guess_importer(folder), "esft");
  const RoutingData routing = import_routing(folder);
  const auto& trace = std::get<RoutingTrace>(routing);
  trace.check_rows();
  EXPECT_EQ(trace.top_k(), 6U);
  EXPECT_EQ(trace.expert_count(), 64U);
  ASSERT_EQ(trace.step_layers().size(), 26U);
  const json published = read_json_file(folder / "summary.json");
  // The published figures have four decimals; sums of floats add nothing visible to that.
  constexpr double kRounding = 5e-5;
  for (const Chunk& chunk : trace.chunks()) {
    const Shares shares = shares_of(trace, chunk);
    const std::string layer = std::to_string(chunk.layer);
    for (std::size_t expert = 0; expert < 64; ++expert) {
      const std::string id = std::to_string(expert);
      EXPECT_NEAR(
          shares.tokens[expert], published["token_scores"][layer][id].get<double>(), kRounding)
          << "layer " << layer << " expert " << id;
      EXPECT_NEAR(
          shares.gates[expert], published["gate_scores"][layer][id].get<double>(), kRounding)
          << "layer " << layer << " expert " << id;
    }
  }
}

TEST(RealRouting, EsftLawGivesThePublishedShares) {
  SWITCHYARD_REAL_DATA(folder, "routing/esft_deepseek-v2-lite/law");
  expect_published_shares(folder);
}

TEST(RealRouting, EsftIntentGivesThePublishedShares) {
  SWITCHYARD_REAL_DATA(folder, "routing/esft_deepseek-v2-lite/intent");
  expect_published_shares(folder);
}

TEST(RealRouting, PlainTextAndGzipAreTheSame) {
  SWITCHYARD_REAL_DATA(plain, "routing/esft_deepseek-v2-lite/law_raw_sample/expert_weights_13.txt");
  SWITCHYARD_REAL_DATA(packed, "routing/esft_deepseek-v2-lite/law/expert_weights_13.txt.gz");
  const auto a = std::get<RoutingTrace>(import_routing(plain));
  const auto b = std::get<RoutingTrace>(import_routing(packed));
  const TraceColumns left = copy_rows(a, a.chunks()[0]);
  const TraceColumns right = copy_rows(b, b.chunks()[0]);
  EXPECT_EQ(a.chunks()[0], b.chunks()[0]);
  EXPECT_EQ(left.expert_ids, right.expert_ids);
  EXPECT_EQ(left.gate_weights, right.gate_weights);
  EXPECT_EQ(left.sequence_ids, right.sequence_ids);
  EXPECT_EQ(left.sequence_ids.back(), 32);
}

TEST(RealRouting, GptOssTracesAreWhole) {
  SWITCHYARD_REAL_DATA(folder, "routing/gpt-oss-20b");
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    EXPECT_EQ(guess_importer(file.path()), "token_csv");
    const RoutingData routing = import_routing(file.path());
    const auto& trace = std::get<RoutingTrace>(routing);
    trace.check_rows();
    EXPECT_EQ(trace.row_count(), 511U * 24U);
    EXPECT_EQ(trace.step_layers().size(), 24U);
    EXPECT_EQ(trace.top_k(), 4U);
    EXPECT_EQ(trace.expert_count(), 32U);
    // Softmax over the four chosen: the published six digits of each add up to one.
    const auto weights = trace.gate_weights(trace.chunks()[5]);
    float total = 0;
    for (std::size_t choice = 0; choice < 4; ++choice) {
      total += weights->at(100, choice);
    }
    EXPECT_NEAR(total, 1, 2e-3);  // they were bf16 before they were printed
    const RoutingData stepwise = import_routing(file.path(), {{"step_per_token", true}});
    EXPECT_EQ(std::get<RoutingTrace>(stepwise).step_layers().size(), 511U * 24U);
  }
}

TEST(RealRouting, GlmCountsAreEightPerToken) {
  SWITCHYARD_REAL_DATA(file, "routing/glm-5.2/web_counts.csv");
  EXPECT_EQ(guess_importer(file), "count_csv");
  const RoutingData routing = import_routing(file, {{"top_k", 8}});
  const auto& load = std::get<ExpertLoad>(routing);
  EXPECT_EQ(load.fidelity(), Fidelity::Counts);
  ASSERT_EQ(load.rows.size(), 75U);
  EXPECT_EQ(load.rows.front().layer, 3);
  EXPECT_EQ(load.rows.back().layer, 77);
  EXPECT_EQ(load.counts.columns(), 256U);
  const auto total = [&load](std::size_t row) {
    const auto counts = load.counts.row(row);
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  };
  for (std::size_t i = 1; i < load.rows.size(); ++i) {
    EXPECT_EQ(total(i), total(0));
  }
  std::vector<double> imbalances;
  for (const LayerSummary& layer : summarise(routing).layers) {
    imbalances.push_back(layer.imbalance);
  }
  std::sort(imbalances.begin(), imbalances.end());
  EXPECT_NEAR(imbalances[37], 3.4, 0.05);  // the median that the data's description gives
  expect_error<InvalidInput>(
      [&file] {
        (void)import_routing(file, {{"top_k", 9}});
      },
      "no multiple of 9");
}

TEST(RealRouting, GateSumsAreNotTakenForCounts) {
  SWITCHYARD_REAL_DATA(file, "routing/glm-5.2/web_gate_sums.csv.gz");
  expect_error<InvalidInput>([&file] { (void)import_routing(file); },
                             "line 2: the count of expert 0 is no whole number");
}

TEST(RealRouting, OlmoeCountsAreWhole) {
  SWITCHYARD_REAL_DATA(file, "routing/olmoe-1b-7b/c4_topk_counts.csv");
  const RoutingData routing = import_routing(file, {{"top_k", 8}});
  const auto& load = std::get<ExpertLoad>(routing);
  ASSERT_EQ(load.rows.size(), 3U);
  EXPECT_EQ(load.rows[1].layer, 7);
  EXPECT_EQ(load.counts.columns(), 64U);
  EXPECT_EQ(load.counts(0, 1), 21772);
}

TEST(RealRouting, MixtralCountsAreNearlyEven) {
  SWITCHYARD_REAL_DATA(file, "routing/mixtral-8x7b/residency_all_layers_counts.csv");
  const RoutingSummary summary = summarise(import_routing(file));
  ASSERT_EQ(summary.layers.size(), 32U);
  EXPECT_EQ(summary.metadata.model.experts, 8);
  for (const LayerSummary& layer : summary.layers) {
    EXPECT_LT(layer.imbalance, 3);
    EXPECT_EQ(layer.idle_experts, 0);
  }
}

TEST(RealRouting, PairsAndVocabularyCountsAreNotMistakenForCounts) {
  SWITCHYARD_REAL_DATA(pairs, "routing/mixtral-8x7b/c4_topk_crosslayer_pairs.csv.gz");
  SWITCHYARD_REAL_DATA(by_token, "routing/mixtral-8x7b/c4_expert_by_token_id.csv.gz");
  for (const auto& file : {pairs, by_token}) {
    expect_error<InvalidInput>([&file] { (void)guess_importer(file); }, "no routing format");
  }
}

TEST(RealRouting, DeepSeekPlacementHoldsEveryExpert) {
  SWITCHYARD_REAL_DATA(file, "routing/deepseek-v3_placement/dsv3_16ranks_prefill_rearranged.csv");
  const PlacementTable table = read_placement_table(file);
  EXPECT_EQ(table.ranks, 16);
  EXPECT_EQ(table.experts, 256);
  EXPECT_EQ(table.layers.size(), 58U);
  EXPECT_EQ(table.rows.size(), 928U);
  for (const PlacementRow& row : table.rows) {
    EXPECT_EQ(row.experts.size(), 16U);
  }
}

}  // namespace
}  // namespace switchyard

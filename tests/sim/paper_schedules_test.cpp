// What papers say about layer schedules, checked on our model: MoEShard (arXiv 2503.08467), ExFlow
// (2401.08383), Lory (2405.03133), MoR1E (2404.08985), SCMoE (2405.14507), ETR (2406.00023).
// Figures and how they were obtained: docs/papers.md.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/replay/simulation.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

// MoEShard's skewed router: expert j with probability ~ 1/experts + alpha [j < hot].
struct Shape {
  std::int64_t ranks = 4;
  std::int64_t layers = 1;
  std::int64_t tokens = 1000;  // per rank
  std::int64_t experts = 8;
  std::int64_t top_k = 1;
  std::int64_t hidden = 768;
  double alpha = 0;
  std::int64_t stride = 3;  // between the experts of a token
};

std::int32_t draw_expert(const Shape& shape, RandomStream& random) {
  const double hot = std::max(1.0, std::floor(0.1 * static_cast<double>(shape.experts)));
  const double mass = 1 + shape.alpha * hot;
  const double point = random.uniform() * mass;
  if (point < 1) {
    return static_cast<std::int32_t>(point * static_cast<double>(shape.experts));
  }
  return static_cast<std::int32_t>((point - 1) / shape.alpha);
}

std::shared_ptr<const RoutingData> routing(const Shape& shape) {
  TraceColumns columns;
  RandomStream random(7, {0});
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    for (std::int64_t rank = 0; rank < shape.ranks; ++rank) {
      columns.chunks.push_back({.step = 0,
                                .layer = layer,
                                .source_rank = rank,
                                .first_row = (layer * shape.ranks + rank) * shape.tokens,
                                .row_count = shape.tokens});
      for (std::int64_t token = 0; token < shape.tokens; ++token) {
        const std::int32_t first = draw_expert(shape, random);
        for (std::int64_t choice = 0; choice < shape.top_k; ++choice) {
          columns.expert_ids.push_back(
              static_cast<std::int32_t>((first + choice * shape.stride) % shape.experts));
        }
      }
    }
  }
  TraceMetadata metadata;
  metadata.model = {.hidden = shape.hidden,
                    .experts = shape.experts,
                    .top_k = shape.top_k,
                    .layers = shape.layers,
                    .dtype = "fp32"};
  return std::make_shared<const RoutingData>(
      RoutingTrace::from_columns(metadata, std::move(columns)));
}

// Switch-base on A100s with NVLink, as MoEShard measured it.
SimulationResult run(const Shape& shape, const json& changes) {
  json document = {{"topology", "dgx_a100_8"},
                   {"ranks", shape.ranks},
                   {"model", {{"expert_hidden", 3072}, {"gated", false}, {"dtype", "fp32"}}},
                   {"wire", {{"dispatch", "fp32"}, {"combine", "fp32"}}},
                   {"compute", {{"device", "a100_sxm"}}}};
  document.merge_patch(changes);
  return simulate(load_scenario(document, {"test", "#"}, routing(shape)));
}

double phase_bytes(const SimulationResult& result) {
  double bytes = 0;
  for (const LayerResult& layer : result.layers) {
    for (const PhaseResult& phase : layer.phases) {
      bytes += phase.bytes;
    }
  }
  return bytes;
}

double seconds_of(const SimulationResult& result, const std::string& name) {
  double seconds = 0;
  for (const LayerResult& layer : result.layers) {
    for (const PhaseResult& phase : layer.phases) {
      seconds += phase.name == name ? phase.time_s : 0;
    }
  }
  return seconds;
}

json padded(double factor) {
  return {{"capacity", {{"name", "drop_and_pad"}, {"factor", factor}}}};
}

const json kSharded = {{"schedule", "sharded_experts"}};

// SHD-1: equal to the counter that the authors' code logged.
TEST(MoEShard, SendsTheLoggedBytesPerRank) {
  const Shape paper{.tokens = 30000, .experts = 128};
  EXPECT_EQ(phase_bytes(run(paper, kSharded)) / 4, 552'961'536.0);
}

// SHD-2.
TEST(MoEShard, PaddedExpertParallelismCostsCapacityNotSkew) {
  const Shape even{.tokens = 3000, .experts = 32};
  Shape skewed = even;
  skewed.alpha = 0.8;
  const double base = *run(even, padded(8)).total.step_s;
  EXPECT_NEAR(*run(skewed, padded(8)).total.step_s, base, 0.01 * base);

  std::vector<double> factors{1, 2, 4, 8, 16, 32};
  std::vector<double> times;
  for (const double factor : factors) {
    times.push_back(*run(skewed, padded(factor)).total.step_s);
  }
  const auto mean = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  double covariance = 0;
  double x_variance = 0;
  double y_variance = 0;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double x = factors[i] - mean(factors);
    const double y = times[i] - mean(times);
    covariance += x * y;
    x_variance += x * x;
    y_variance += y * y;
  }
  EXPECT_GT(covariance * covariance / (x_variance * y_variance), 0.99) << "R^2";
}

// The two systems that MoEShard measured, with what our model does not know of them: the share of
// the peak that their kernels reach, and the overhead of their Python around the kernels.
class MeasuredSystems {
 public:
  MeasuredSystems() {
    // Milliseconds on four A100s at 30000 tokens a rank: papers' CSVs, alpha 0.6.
    const std::vector<double> experts{8, 32, 128};
    const std::vector<double> padded_ms{29.3, 112.8, 177.6};
    const std::vector<double> sharded_ms{12.5, 19.3, 43.7};
    // The time of a padded layer is overhead + work / efficiency + exchange.
    const double whole = padded_model(32, 30000, 1) - padded_model(8, 30000, 1);
    const double work = (padded_model(32, 30000, 0.5) - padded_model(8, 30000, 0.5)) - whole;
    efficiency_ = work / ((padded_ms[1] - padded_ms[0]) / 1e3 - (whole - work));
    padded_overhead_ = 0;
    for (std::size_t i = 0; i < experts.size(); ++i) {
      padded_overhead_ +=
          (padded_ms[i] / 1e3 -
           padded_model(static_cast<std::int64_t>(experts[i]), 30000, efficiency_)) /
          3;
    }
    std::vector<double> rest;
    for (std::size_t i = 0; i < experts.size(); ++i) {
      rest.push_back(sharded_ms[i] / 1e3 -
                     sharded_model(static_cast<std::int64_t>(experts[i]), 30000));
    }
    per_expert_ = (rest[2] - rest[0]) / (experts[2] - experts[0]);
    sharded_overhead_ = (rest[0] + rest[1] + rest[2]) / 3 - per_expert_ * (8 + 32 + 128) / 3;
  }

  [[nodiscard]] double ratio(std::int64_t experts, std::int64_t tokens) const {
    const double padded_s = padded_model(experts, tokens, efficiency_) + padded_overhead_;
    const double sharded_s = sharded_model(experts, tokens) + sharded_overhead_ +
                             per_expert_ * static_cast<double>(experts);
    return padded_s / sharded_s;
  }

  [[nodiscard]] double efficiency() const { return efficiency_; }

 private:
  static double padded_model(std::int64_t experts, std::int64_t tokens, double efficiency) {
    json changes = padded(std::min<double>(static_cast<double>(experts), 50));
    changes["compute"]["compute_efficiency"] = efficiency;
    return *run({.tokens = tokens, .experts = experts, .alpha = 0.6}, changes).total.step_s;
  }

  [[nodiscard]] double sharded_model(std::int64_t experts, std::int64_t tokens) const {
    json changes = kSharded;
    changes["compute"]["compute_efficiency"] = efficiency_;
    return *run({.tokens = tokens, .experts = experts, .alpha = 0.6}, changes).total.step_s;
  }

  double efficiency_ = 1;
  double padded_overhead_ = 0;
  double sharded_overhead_ = 0;
  double per_expert_ = 0;
};

// SHD-3: the ratios of the published table, and the shape beyond it.
TEST(MoEShard, BeatsPaddingMostBetweenFewAndManyExperts) {
  const MeasuredSystems measured;
  EXPECT_GT(measured.efficiency(), 0.2);
  EXPECT_LE(measured.efficiency(), 1);
  EXPECT_NEAR(measured.ratio(8, 30000), 2.35, 0.25 * 2.35);
  EXPECT_NEAR(measured.ratio(32, 30000), 5.86, 0.25 * 5.86);
  EXPECT_NEAR(measured.ratio(128, 30000), 4.06, 0.25 * 4.06);
  const double middle = std::max(measured.ratio(32, 30000), measured.ratio(64, 30000));
  EXPECT_GT(middle, measured.ratio(8, 30000));
  EXPECT_GT(middle, measured.ratio(256, 30000));
  EXPECT_LT(measured.ratio(8, 1200), 1) << "10 sequences a rank: sharding loses";
}

// SHD-4.
TEST(MoEShard, LosesAgainstDroplessOnManyNodesAndWinsAgainstPaddingOnFour) {
  const Shape large{.ranks = 64, .tokens = 256, .experts = 64, .top_k = 2};
  const json rail = {{"topology", "h800_rail_64"}};
  json sharded_rail = rail;
  sharded_rail.update(kSharded);
  EXPECT_GT(*run(large, sharded_rail).total.step_s, *run(large, rail).total.step_s);
  const Shape small{.tokens = 3000, .experts = 128, .alpha = 0.6};
  EXPECT_LT(*run(small, kSharded).total.step_s, *run(small, padded(50)).total.step_s);
}

// EXF-3: half the all-to-alls, and slower only when the allgather costs more than it saves.
TEST(ExFlow, SavesTheCombineForOneAllgather) {
  const json coherent = {{"schedule", "context_coherent"}};
  for (const std::int64_t layers : {1, 12}) {
    const Shape shape{.ranks = 8, .layers = layers, .tokens = 512, .experts = 16, .hidden = 1024};
    const SimulationResult one = run(shape, coherent);
    const SimulationResult two = run(shape, json::object());
    std::int64_t exchanges = 0;
    for (const LayerResult& layer : one.layers) {
      for (const PhaseResult& phase : layer.phases) {
        exchanges += phase.lane == Lane::Compute ? 0 : 1;
      }
    }
    EXPECT_EQ(exchanges, layers + 1);
    const bool costs_more = seconds_of(one, "context_allgather") > seconds_of(two, "combine");
    EXPECT_EQ(costs_more, layers == 1) << "one combine is less than a whole allgather";
    EXPECT_EQ(*one.total.step_s > *two.total.step_s, costs_more);
  }
}

// LORY-1 and MoR1E: no byte moves, on any topology.
TEST(Lory, MovesNothing) {
  for (const TopologyPreset& preset : topology_presets()) {
    if (preset.name == "fat_tree_1024" || preset.name == "hgx_h100_rail_1024") {
      continue;  // the same rule, minutes of routes
    }
    for (const char* schedule : {"merged_experts", "local_experts"}) {
      const SimulationResult result = run({.ranks = 8, .tokens = 300, .experts = 16},
                                          {{"topology", preset.name}, {"schedule", schedule}});
      EXPECT_EQ(phase_bytes(result), 0) << preset.name;
      EXPECT_EQ(*result.total.dispatch_s + *result.total.combine_s, 0) << preset.name;
      EXPECT_GT(*result.total.step_s, 0);
    }
  }
}

// LORY-2: N / 256 of the flops, and more in time, because every expert is read for every segment.
TEST(Lory, PaysForMergingInProportionToTheExperts) {
  std::vector<double> overheads;
  for (const std::int64_t experts : {8, 16, 32}) {
    const SimulationResult result =
        run({.ranks = 1, .tokens = 4096, .experts = experts, .hidden = 1536},
            {{"topology", "dgx_a100_8"},
             {"model", {{"expert_hidden", 6144}, {"gated", true}, {"dtype", "bf16"}}},
             {"schedule", "merged_experts"}});
    overheads.push_back(seconds_of(result, "merge") / seconds_of(result, "experts"));
    EXPECT_GT(overheads.back(), static_cast<double>(experts) / 256);
  }
  EXPECT_LT(overheads[0], overheads[1]);
  EXPECT_LT(overheads[1], overheads[2]);
  // Affine: equal steps for equal numbers of experts, within rounding.
  EXPECT_NEAR((overheads[2] - overheads[1]) / 16, (overheads[1] - overheads[0]) / 8, 1e-6);
}

// SC-1: strong top-2 pass and weak pass through one more expert, as three choices of one token.
TEST(SelfContrast, CostsHalfAsManyBytesMoreUnlessTokensAreSentOncePerRank) {
  const Shape strong{
      .ranks = 4, .tokens = 64, .experts = 8, .top_k = 2, .hidden = 4096, .stride = 1};
  Shape both = strong;
  both.top_k = 3;
  const json mixtral = {{"model", {{"expert_hidden", 14336}, {"gated", true}, {"dtype", "bf16"}}},
                        {"wire", {{"dispatch", "bf16"}, {"combine", "bf16"}}}};
  const auto crossing = [&](const Shape& shape, bool once) {
    json changes = mixtral;
    changes["all_to_all"] = {{"name", "direct"}, {"once_per_rank", once}};
    return phase_bytes(run(shape, changes));
  };
  // Random experts: the third choice crosses as often as the first two do, within 5 %.
  EXPECT_NEAR(crossing(both, false) / crossing(strong, false), 1.5, 0.075);
  EXPECT_LT(crossing(both, true), crossing(both, false));

  // A decode step reads weights, so passes one after another cost more than one with both.
  Shape weak = strong;
  weak.top_k = 1;
  const double strong_s = *run(strong, mixtral).total.step_s;
  const double sequential = (strong_s + *run(weak, mixtral).total.step_s) / strong_s;
  const double together = *run(both, mixtral).total.step_s / strong_s;
  EXPECT_GE(together, 1.0);
  EXPECT_LE(together, 1.56);
  EXPECT_LT(together, sequential);
}

// ETR-3: capacity 1.1 -> 0.66 is 40 % less of the experts' part, and of the step only that share.
TEST(Etr, GainsItsShareOfTheStep) {
  const Shape shape{.ranks = 8, .tokens = 8000, .experts = 8, .hidden = 4096};
  json before = padded(1.1);
  json after = padded(0.66);
  const SimulationResult wide = run(shape, before);
  const SimulationResult narrow = run(shape, after);
  EXPECT_DOUBLE_EQ(phase_bytes(narrow) / phase_bytes(wide), 0.6);
  EXPECT_EQ(narrow.layers[0].rank_rows[0] * 5, wide.layers[0].rank_rows[0] * 3);

  // Other work so that the experts' part is 13.5 % of the step.
  const double other_s = *wide.total.step_s * (1 / 0.135 - 1);
  for (json* changes : {&before, &after}) {
    (*changes)["compute"]["attention_per_token"] = std::to_string(other_s / 8000 * 1e9) + "ns";
  }
  const double gain = 1 - *run(shape, after).total.step_s / *run(shape, before).total.step_s;
  EXPECT_NEAR(gain, 0.054, 0.0005) << "latency does not shrink with the capacity";
}

// LOC: a token crosses once to a group, whatever the number of its experts there.
TEST(LocMoE, SendsATokenOnceToEachGroup) {
  const Shape shape{.ranks = 16, .tokens = 64, .experts = 16, .top_k = 4};
  const json two_nodes = {{"topology", "h800_rail_64"}, {"parallel", {{"tensor", 8}}}};
  json gather = two_nodes;
  gather["schedule"] = "tensor_gather";
  const SimulationResult grouped = run(shape, gather);
  const SimulationResult plain = run(shape, two_nodes);
  EXPECT_LT(*grouped.total.inter_node_bytes, *plain.total.inter_node_bytes);
  // Of four experts 3 apart among 16, two are always on the other node: each token crosses.
  EXPECT_EQ(grouped.layers[0].dispatch->inter_node_bytes, 16.0 * 64 * 768 * 4);
}

}  // namespace
}  // namespace switchyard

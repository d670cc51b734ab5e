// Checks of HOBBIT (arXiv 2411.01433) and AdapMoE (arXiv 2408.10284).
#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/router.hpp"
#include "sim/expert_size.hpp"
#include "sim/offload/replay.hpp"
#include "sim/offload/slot_split.hpp"
#include "tests/support/offload.hpp"

namespace switchyard {
namespace {

using testing::expert_of_one_byte;
using testing::make_policy;
using testing::random_stream;
using testing::StreamShape;

// Mixtral 8x7B, batch 1, on an RTX 4090 with 20 GB of experts: 352.3 MB each in fp16, int4 a
// quarter.
constexpr std::int64_t kMixtralExpert = std::int64_t{3} * 4096 * 14336 * 2;
constexpr std::int64_t kCache = 20'000'000'000;

StreamShape mixtral() {
  return {.passes = 400, .layers = 32, .experts = 8, .top_k = 2};
}

OffloadSetup mixtral_setup(const AccessStream& stream, double bandwidth, bool is_mixed) {
  OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), kCache);
  setup.tier.host.bandwidth.value = bandwidth;
  setup.high_bytes.assign(stream.layers * stream.experts, kMixtralExpert);
  setup.low_bytes.assign(stream.layers * stream.experts, kMixtralExpert / 4);
  setup.time.byte_rate = 1.008e12;
  setup.other_per_layer = Seconds{0.1e-3};  // 1.6 G other weights of two bytes over 32 layers
  if (is_mixed) {
    setup.cache = {.high = {kCache / 4 * 3}, .low = {kCache / 4}};
  }
  return setup;
}

double dynamic_precision_speed_up(double bandwidth) {
  const AccessStream all_high = random_stream(1, mixtral());
  StreamShape shape = mixtral();
  shape.low_share = 0.60;  // of second experts: 30 % of all selections
  shape.skip_share = 0.06;
  const AccessStream mixed = random_stream(1, shape);
  const double before = replay_offload(all_high, mixtral_setup(all_high, bandwidth, false)).total_s;
  return before / replay_offload(mixed, mixtral_setup(mixed, bandwidth, true)).total_s;
}

TEST(HobbitPaper, DynamicPrecisionGainsMoreTheSlowerTheLink) {  // HOB-1
  const double pcie = dynamic_precision_speed_up(32e9);
  const double ssd = dynamic_precision_speed_up(3e9);
  EXPECT_GE(pcie, 1.0);
  EXPECT_LE(ssd, 2.04);
  EXPECT_GT(ssd, pcie);
}

TEST(HobbitPaper, PrefetchGainsLittleAndCostsTimeBelowSomeAccuracy) {  // HOB-2
  const AccessStream stream = random_stream(1, mixtral());
  OffloadSetup setup = mixtral_setup(stream, 32e9, false);
  const double without_s = replay_offload(stream, setup).total_s;
  const auto gain = [&](double accuracy) {
    setup.prefetch = {.horizon = 1, .accuracy = {accuracy}};
    return without_s / replay_offload(stream, setup).total_s - 1;
  };
  EXPECT_LT(gain(0.9), 0.03);
  EXPECT_GT(gain(1), 0);
  EXPECT_LT(gain(0.5), 0);
}

TEST(HobbitPaper, ExpertSizesAreThePapers) {
  const ModelCost mixtral_cost{.hidden = 4096, .expert_hidden = 14336, .dtype = "fp16"};
  EXPECT_EQ(expert_size(mixtral_cost).private_bytes, 352'321'536);
  EXPECT_NEAR(static_cast<double>(kMixtralExpert) / 32e9, 11.0e-3, 0.05e-3);
}

TEST(HobbitPaper, RecencyAloneIsExactlyLru) {  // HOB-3
  const nlohmann::json recency{
      {"recency", 1}, {"frequency", 0}, {"high_precision", 0}, {"layer", 0}};
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    AccessStream stream =
        random_stream(seed, {.passes = 300, .layers = 4, .experts = 16, .top_k = 3, .skew = 0.7});
    for (std::size_t pass = 0; pass < stream.passes(); pass += 70) {
      stream.starts_sequence[pass] = 1;
    }
    for (const std::int64_t capacity : {3, 10, 40}) {
      EXPECT_EQ(replay_offload(
                    stream, expert_of_one_byte(stream, make_policy("hobbit", recency), capacity)),
                replay_offload(stream, expert_of_one_byte(stream, make_policy("lru"), capacity)));
    }
  }
}

Matrix<double> random_costs(std::uint64_t seed, std::size_t layers, std::size_t slots) {
  RandomStream random(seed, {7});
  Matrix<double> costs(layers, slots + 1);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    double cost = 10;
    for (double& value : costs.row(layer)) {
      value = cost;
      cost -= random.uniform();  // falls, by any steps
    }
  }
  return costs;
}

double cost_of(const Matrix<double>& costs, const std::vector<std::size_t>& slots) {
  double total = 0;
  for (std::size_t layer = 0; layer < costs.rows(); ++layer) {
    total += costs(layer, slots[layer]);
  }
  return total;
}

double best_by_trying_all(const Matrix<double>& costs, std::size_t budget) {
  double best = 1e300;
  std::vector<std::size_t> slots(4, 0);
  for (slots[0] = 0; slots[0] <= budget; ++slots[0]) {
    for (slots[1] = 0; slots[0] + slots[1] <= budget; ++slots[1]) {
      for (slots[2] = 0; slots[0] + slots[1] + slots[2] <= budget; ++slots[2]) {
        slots[3] = budget - slots[0] - slots[1] - slots[2];
        best = std::min(best, cost_of(costs, slots));
      }
    }
  }
  return best;
}

TEST(AdapMoEPaper, SplitIsTheBestOfAll) {  // ADA-1
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Matrix<double> costs = random_costs(seed, 4, 8);
    const std::vector<std::size_t> slots = split_slots(costs, 8);
    EXPECT_LE(std::accumulate(slots.begin(), slots.end(), std::size_t{0}), 8U);
    EXPECT_DOUBLE_EQ(cost_of(costs, slots), best_by_trying_all(costs, 8));
  }
}

// The formula as AdapMoE's code has it, for two experts a token at most and N = 8.
double published_loads(double single, double accuracy, double slots) {
  const double none = (8 - slots) * (7 - slots) / 56;
  const double one = 2 * (8 - slots) * slots / 56;
  return single * (1 - slots / 8) * (1 - accuracy) +
         (1 - single) *
             (std::max(0.0, none) * (2 * (1 - accuracy) + accuracy) + one * (1 - accuracy));
}

TEST(AdapMoEPaper, ExpectedLoadsAreThePublishedFormula) {
  for (const double single : {0.0, 0.26, 1.0}) {
    for (const double accuracy : {0.0, 0.866, 1.0}) {
      for (std::size_t slots = 0; slots <= 8; ++slots) {
        const LayerDemand demand{
            .choices = {0, single, 1 - single}, .accuracy = accuracy, .prefetched = 1};
        EXPECT_NEAR(expected_loads(demand, 8, slots),
                    published_loads(single, accuracy, static_cast<double>(slots)),
                    1e-12);
      }
    }
  }
}

TEST(AdapMoEPaper, SplitNeedsNoMoreLoadsThanEqualShares) {  // ADA-2
  RandomStream random(3, {11});
  for (int trial = 0; trial < 20; ++trial) {
    Matrix<double> costs(32, 9);
    for (std::size_t layer = 0; layer < 32; ++layer) {
      const double single = random.uniform();
      const LayerDemand demand{.choices = {0, single, 1 - single},
                               .accuracy = layer == 0 ? 0 : random.uniform()};
      for (std::size_t slots = 0; slots <= 8; ++slots) {
        costs(layer, slots) = expected_loads(demand, 8, slots);
      }
    }
    for (const std::size_t budget : {32U, 64U, 128U}) {
      EXPECT_LE(cost_of(costs, split_slots(costs, budget)),
                cost_of(costs, equal_slots(32, budget)) + 1e-12);
    }
  }
}

TEST(AdapMoEPaper, SingleExpertsSaveHalfTheirShareOfActivations) {  // ADA-2
  constexpr std::size_t kTokens = 4000;
  RandomStream random(8, {2});
  Matrix<float> logits(kTokens, 8);
  random.fill_normal(logits.values());
  Parameters parameters(nlohmann::json{{"threshold", 0.5}}, {});
  const auto router = Registry<Router>::instance().create("adapmoe", "router", parameters);
  const RoutingDecision decision = router->route({.logits = logits.view(), .layer = 9});
  std::int64_t single = 0;
  std::int64_t activations = 0;
  for (std::size_t token = 0; token < kTokens; ++token) {
    single += decision.expert_ids(token, 1) == kNoExpert ? 1 : 0;
    activations += decision.expert_ids(token, 1) == kNoExpert ? 1 : 2;
  }
  EXPECT_GT(single, 0);
  EXPECT_LT(single, static_cast<std::int64_t>(kTokens));
  EXPECT_EQ(2 * static_cast<std::int64_t>(kTokens) - activations, single);
}

TEST(AdapMoEPaper, ExpectedLoadsMatchAReplay) {  // ADA-3
  for (const double single : {0.0, 0.259}) {
    for (const double accuracy : {0.0, 0.866}) {
      for (const std::size_t slots : {1U, 2U, 5U}) {
        const AccessStream stream = random_stream(
            slots,
            {.passes = 20000, .layers = 3, .experts = 8, .top_k = 2, .single_share = single});
        OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 0);
        setup.cache.high.assign(3, static_cast<std::int64_t>(slots));
        setup.cache.low.assign(3, 0);
        setup.prefetch = {.horizon = 1, .accuracy = {accuracy}, .limit = 1, .errs_by_layer = true};
        const OffloadResult result = replay_offload(stream, setup);
        for (std::size_t layer = 0; layer < 3; ++layer) {
          const LayerDemand demand{.choices = {0, single, 1 - single},
                                   .accuracy = layer == 0 ? 0 : accuracy};
          const double loads = static_cast<double>(result.layers[layer].counts.loads) / 20000;
          EXPECT_NEAR(loads / expected_loads(demand, 8, slots), 1, 0.02)
              << "layer " << layer << ", " << slots << " slots, accuracy " << accuracy;
        }
      }
    }
  }
}

TEST(MeasuredSplit, CountsWhatLruLoadsAtEverySize) {
  const AccessStream stream =
      random_stream(2, {.passes = 500, .layers = 2, .experts = 8, .top_k = 1, .skew = 1});
  const Matrix<double> loads = measured_loads(stream);
  for (std::int64_t slots = 0; slots <= 8; ++slots) {
    OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 0);
    setup.cache = {.high = {slots, slots}, .low = {0, 0}};
    const OffloadResult result = replay_offload(stream, setup);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      EXPECT_EQ(static_cast<double>(result.layers[layer].counts.loads),
                loads(layer, static_cast<std::size_t>(slots)));
    }
  }
}

TEST(MeasuredSplit, NeedsNoMoreLoadsThanAnyOther) {
  AccessStream stream =
      random_stream(6, {.passes = 800, .layers = 4, .experts = 8, .top_k = 1, .skew = 1});
  for (std::size_t use = 0; use < stream.uses.size(); use += 4) {
    stream.uses[use].expert %= 2;  // a layer that two slots serve
  }
  const auto loads_of = [&](const std::vector<std::size_t>& slots) {
    OffloadSetup setup = expert_of_one_byte(stream, make_policy("lru"), 0);
    setup.cache.high.assign(slots.begin(), slots.end());
    setup.cache.low.assign(4, 0);
    return replay_offload(stream, setup).counts.loads;
  };
  const std::vector<std::size_t> split = split_slots(measured_loads(stream), 12);
  EXPECT_EQ(split[0], 2U);
  EXPECT_LT(loads_of(split), loads_of(equal_slots(4, 12)));
}

}  // namespace
}  // namespace switchyard

// ExFlow's placement: transitions, the exact moves, the search against exact answers, and the
// paper's rows EXF-1 and EXF-2.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/affinity/affinity_placement.hpp"
#include "sim/affinity/even_assignment.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_traces.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

// Top-1 walks of `tokens` tokens: walk(token, layer, expert before) gives the next expert.
template <class Walk>
RoutingTrace walks(std::int64_t tokens, std::int64_t layers, std::int64_t experts, Walk walk) {
  TraceColumns columns;
  std::vector<std::int32_t> at(static_cast<std::size_t>(tokens), 0);
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    columns.chunks.push_back({0, layer, 0, layer * tokens, tokens});
    for (auto& expert : at) {
      expert = walk(layer, expert);
      columns.expert_ids.push_back(expert);
    }
  }
  TraceMetadata metadata;
  metadata.model = {
      .hidden = 64, .experts = experts, .top_k = 1, .layers = layers, .dtype = "bf16"};
  return RoutingTrace::from_columns(metadata, std::move(columns), {"walks", ""});
}

std::vector<std::int64_t> first_layers(std::int64_t count) {
  std::vector<std::int64_t> layers(static_cast<std::size_t>(count));
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

double crossings_per_token(const Transitions& transitions, const Parts& parts) {
  const double tokens =
      static_cast<double>(transitions.total()) / static_cast<double>(transitions.counts.size());
  return static_cast<double>(crossings(transitions, parts)) / tokens;
}

TEST(Transitions, FollowTheHeaviestChoice) {
  // Layer 0: {0,1} {1,2} {3,none}; layer 1: {2,0} {2,1} {2,3}; see small_traces.hpp for weights.
  const RoutingTrace trace = testing::small_trace();
  const Transitions transitions = count_transitions(trace, std::vector<std::int64_t>{0, 1});
  ASSERT_EQ(transitions.counts.size(), 1U);
  EXPECT_EQ(transitions.total(), 3);
  EXPECT_EQ(transitions.counts[0](3, 2) + transitions.counts[0](3, 3), 1) << "the last token";
}

TEST(Transitions, NeedWeightsWhenThereAreSeveralExperts) {
  const RoutingTrace trace = testing::random_trace({.has_weights = false}, 1);
  expect_error<MissingCapability>(
      [&] {
        (void)count_transitions(trace, std::vector<std::int64_t>{0, 1});
      },
      "without gate weights none is the main one");
}

TEST(Transitions, RefuseTokensThatCannotBeFollowed) {
  TraceColumns columns;
  columns.chunks = {{0, 0, 0, 0, 2}, {0, 1, 0, 2, 3}};
  columns.expert_ids = {0, 1, 0, 1, 1};
  TraceMetadata metadata;
  metadata.model = {.hidden = 8, .experts = 2, .top_k = 1, .layers = 2, .dtype = "bf16"};
  const RoutingTrace trace = RoutingTrace::from_columns(metadata, std::move(columns), {"t", ""});
  expect_error<InvalidInput>(
      [&] {
        (void)count_transitions(trace, std::vector<std::int64_t>{0, 1});
      },
      "step 0 has 2 of them on rank 0 at layer 0 and 3 on rank 0 at layer 1");
}

std::int64_t total_gain(const Matrix<std::int64_t>& gain, const std::vector<std::int32_t>& parts) {
  std::int64_t sum = 0;
  for (std::size_t item = 0; item < parts.size(); ++item) {
    sum += gain(item, static_cast<std::size_t>(parts[item]));
  }
  return sum;
}

TEST(EvenAssignment, IsAsGoodAsTryingEverything) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RandomStream random(seed, {1});
    Matrix<std::int64_t> gain(7, 3);
    for (std::int64_t& value : gain.values()) {
      value = static_cast<std::int64_t>(random.index(20));
    }
    std::vector<std::int32_t> tried{0, 0, 0, 1, 1, 2, 2};
    std::vector<std::int32_t> improved = tried;
    improve_assignment(gain, 3, improved);
    std::int64_t best = 0;
    do {
      best = std::max(best, total_gain(gain, tried));
    } while (std::next_permutation(tried.begin(), tried.end()));
    EXPECT_EQ(total_gain(gain, improved), best) << "seed " << seed;
    EXPECT_EQ(std::count(improved.begin(), improved.end(), 0), 3) << "sizes stay";
  }
}

Transitions random_transitions(std::size_t layers, std::size_t experts, std::uint64_t seed) {
  Transitions transitions;
  RandomStream random(seed, {2});
  for (std::size_t layer = 0; layer + 1 < layers; ++layer) {
    Matrix<std::int64_t>& counts = transitions.counts.emplace_back(experts, experts);
    for (std::int64_t& value : counts.values()) {
      const double u = random.uniform();
      value = static_cast<std::int64_t>(100 * u * u * u * u);
    }
  }
  return transitions;
}

TEST(AffinitySearch, FindsTheOptimumOfSmallCases) {
  const std::vector<std::size_t> sizes{2, 2, 2};
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Transitions transitions = random_transitions(6, 6, seed);
    const Parts exact = exact_affinity(transitions, sizes);
    ASSERT_FALSE(exact.empty());
    const Parts found = search_affinity(transitions, sizes, {.restarts = 8, .kicks = 40});
    EXPECT_EQ(crossings(transitions, found), crossings(transitions, exact)) << "seed " << seed;
  }
}

TEST(AffinitySearch, ExactIsNoWorseThanAnyOfManyRandomPlacements) {
  const std::vector<std::size_t> sizes{2, 2};
  const Transitions transitions = random_transitions(4, 4, 3);
  const std::int64_t fewest = crossings(transitions, exact_affinity(transitions, sizes));
  RandomStream random(1, {3});
  for (int tries = 0; tries < 3000; ++tries) {
    Parts parts(4, {0, 0, 1, 1});
    for (auto& layer : parts) {
      for (std::size_t left = 4; left > 1; --left) {
        std::swap(layer[left - 1], layer[random.index(left)]);
      }
    }
    ASSERT_GE(crossings(transitions, parts), fewest);
  }
}

// EXF-1: where nothing follows from anything, nothing can be gained on tokens not seen before.
TEST(ExFlowPaper, GainsNothingOnIndependentTokens) {
  RandomStream random(5, {4});
  const auto uniform = [&](std::int64_t /*layer*/, std::int32_t /*before*/) {
    return static_cast<std::int32_t>(random.index(16));
  };
  const auto layers = first_layers(8);
  const Transitions seen = count_transitions(walks(20000, 8, 16, uniform), layers);
  const Transitions held_out = count_transitions(walks(20000, 8, 16, uniform), layers);
  const std::vector<std::size_t> sizes{4, 4, 4, 4};
  const Parts parts = place_by_affinity(seen, sizes, {.restarts = 2, .kicks = 5});
  const double rate = crossings_per_token(held_out, parts) / 7;
  EXPECT_NEAR(rate, 1 - 1.0 / 4, 0.02 * 0.75);
}

// EXF-2: tokens that stay in their block of N/G experts with probability q, ids shuffled by layer.
TEST(ExFlowPaper, RecoversHiddenBlocks) {
  constexpr double kStay = 0.8;
  constexpr std::int64_t kLayers = 8;
  constexpr std::size_t kExperts = 16;
  RandomStream random(6, {5});
  std::vector<std::vector<std::int32_t>> id_of(kLayers);  // [layers][place], block = place / 4
  std::vector<std::vector<std::size_t>> place_of(kLayers, std::vector<std::size_t>(kExperts));
  for (std::size_t layer = 0; layer < id_of.size(); ++layer) {
    id_of[layer].resize(kExperts);
    std::iota(id_of[layer].begin(), id_of[layer].end(), 0);
    for (std::size_t left = kExperts; left > 1; --left) {
      std::swap(id_of[layer][left - 1], id_of[layer][random.index(left)]);
    }
    for (std::size_t place = 0; place < kExperts; ++place) {
      place_of[layer][static_cast<std::size_t>(id_of[layer][place])] = place;
    }
  }
  const auto walk = [&](std::int64_t layer, std::int32_t before) {
    const auto here = static_cast<std::size_t>(layer);
    std::size_t block = random.index(4);
    if (layer > 0) {
      const std::size_t last = place_of[here - 1][static_cast<std::size_t>(before)] / 4;
      block = random.uniform() < kStay ? last : (last + 1 + random.index(3)) % 4;
    }
    return id_of[here][block * 4 + random.index(4)];
  };
  const auto layers = first_layers(kLayers);
  const Transitions seen = count_transitions(walks(20000, kLayers, kExperts, walk), layers);
  const std::vector<std::size_t> sizes{4, 4, 4, 4};
  const Parts parts = place_by_affinity(seen, sizes, {.restarts = 4, .kicks = 20});
  const double expected = (1 - kStay) * (kLayers - 1);
  EXPECT_NEAR(crossings_per_token(seen, parts), expected, 0.02 * expected);
}

TEST(AffinityPlacement, TwoLevelsCrossFewerNodes) {
  const Transitions transitions = random_transitions(5, 16, 9);
  const std::vector<std::size_t> sizes(8, 2);
  const std::vector<std::vector<std::size_t>> nodes{{0, 1, 2, 3}, {4, 5, 6, 7}};
  const auto node_crossings = [&](Parts parts) {
    for (auto& layer : parts) {
      for (std::int32_t& part : layer) {
        part /= 4;
      }
    }
    return crossings(transitions, parts);
  };
  const AffinityOptions options{.restarts = 2, .kicks = 10};
  const Parts flat = place_by_affinity(transitions, sizes, options);
  const Parts deep = place_by_two_levels(transitions, nodes, sizes, options);
  EXPECT_LT(node_crossings(deep), node_crossings(flat));
  for (const auto& layer : deep) {
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      EXPECT_EQ(std::count(layer.begin(), layer.end(), rank), 2);
    }
  }
}

}  // namespace
}  // namespace switchyard

// Placements at the sizes people use: EPLB for DeepSeek-V3 on 64 GPUs, ExFlow for 32 layers of 64
// experts on 8 GPUs. Deterministic: the same placement every time.
#include <algorithm>
#include <numeric>

#include <benchmark/benchmark.h>

#include "core/numbers/random.hpp"
#include "sim/affinity/affinity_placement.hpp"
#include "sim/balancing/eplb.hpp"

namespace switchyard {
namespace {

// 58 layers x 256 experts, 32 redundant copies, 64 ranks on 8 nodes, 8 groups.
void eplb(benchmark::State& state) {
  constexpr std::size_t kLayers = 58;
  std::vector<std::vector<float>> loads(kLayers, std::vector<float>(256));
  RandomStream random(1, {1});
  for (auto& layer : loads) {
    for (float& load : layer) {
      const double u = random.uniform();
      load = static_cast<float>(1 + 1000 * u * u * u * u);
    }
  }
  for (auto _ : state) {
    for (const auto& layer : loads) {
      benchmark::DoNotOptimize(
          eplb_layer(layer, {.slots = 320, .groups = 8, .nodes = 8, .ranks = 64}));
    }
  }
}

BENCHMARK(eplb)->Unit(benchmark::kMillisecond);

// Tokens that stay in one of 8 hidden blocks with probability 0.6; ids shuffled layer by layer.
// What the search finds is compared with the hidden blocks and with a search of many times the
// effort.
Transitions hidden_blocks(std::size_t layers, std::size_t experts, std::uint64_t seed) {
  RandomStream random(seed, {2});
  std::vector<std::vector<std::size_t>> id_of(layers, std::vector<std::size_t>(experts));
  for (auto& ids : id_of) {
    std::iota(ids.begin(), ids.end(), std::size_t{0});
    for (std::size_t left = experts; left > 1; --left) {
      std::swap(ids[left - 1], ids[random.index(left)]);
    }
  }
  Transitions transitions;
  transitions.counts.assign(layers - 1, Matrix<std::int64_t>(experts, experts));
  const std::size_t size = experts / 8;
  for (int token = 0; token < 3000; ++token) {
    std::size_t place = random.index(experts);
    for (std::size_t layer = 0; layer + 1 < layers; ++layer) {
      const std::size_t block = random.uniform() < 0.6 ? place / size : random.index(8);
      const std::size_t next = block * size + random.index(size);
      ++transitions.counts[layer](id_of[layer][place], id_of[layer + 1][next]);
      place = next;
    }
  }
  return transitions;
}

// No structure to find but noise: the hardest case for a search.
Transitions skewed_noise(std::size_t layers, std::size_t experts, std::uint64_t seed) {
  RandomStream random(seed, {3});
  Transitions transitions;
  for (std::size_t layer = 0; layer + 1 < layers; ++layer) {
    Matrix<std::int64_t>& counts = transitions.counts.emplace_back(experts, experts);
    for (std::int64_t& count : counts.values()) {
      const double u = random.uniform();
      count = static_cast<std::int64_t>(40 * u * u * u * u * u * u);
    }
  }
  return transitions;
}

// `restarts` x `kicks` of the rule's defaults. Counters compare with the best known, which a search
// of nine times the effort found first: crossings, and tokens that stay where they are.
void exflow(benchmark::State& state) {
  const bool has_blocks = state.range(0) != 0;
  const Transitions transitions = has_blocks ? hidden_blocks(32, 64, 7) : skewed_noise(32, 64, 7);
  const std::vector<std::size_t> sizes(8, 8);
  const AffinityOptions options{.restarts = 4, .kicks = 20, .seed = 1};
  static std::int64_t best[2] = {0, 0};
  std::int64_t& best_known = best[has_blocks ? 1 : 0];
  if (best_known == 0) {
    best_known = crossings(
        transitions, search_affinity(transitions, sizes, {.restarts = 6, .kicks = 120, .seed = 2}));
  }
  std::int64_t found = 0;
  for (auto _ : state) {
    found = crossings(transitions, place_by_affinity(transitions, sizes, options));
  }
  state.counters["over_best_known"] =
      static_cast<double>(found) / static_cast<double>(std::min(found, best_known));
  const auto kept = [&](std::int64_t crossed) {
    return static_cast<double>(transitions.total() - crossed);
  };
  state.counters["kept_of_best_known"] = kept(found) / kept(std::min(found, best_known));
  state.counters["crossing_rate"] =
      static_cast<double>(found) / static_cast<double>(transitions.total());
}

BENCHMARK(exflow)->Arg(1)->Arg(0)->ArgName("blocks")->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace switchyard

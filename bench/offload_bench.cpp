// Replay of expert accesses under every cache policy: 58 layers of 256 experts, top-8, decode, a
// cache of a fifth of them; with and without prefetching.
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "sim/offload/replay.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kLayers = 58;
constexpr std::size_t kExperts = 256;
constexpr std::size_t kTopK = 8;

// Popular experts more often (the square of a uniform number), half of them as the token before.
AccessStream make_stream(std::size_t passes) {
  RandomStream random(1, {1});
  AccessStream stream{.layers = kLayers, .experts = kExperts, .top_k = kTopK};
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    stream.layer_numbers.push_back(static_cast<std::int64_t>(layer));
  }
  for (std::size_t pass = 0; pass < passes; ++pass) {
    stream.pass_tokens.push_back(1);
    stream.starts_sequence.push_back(pass == 0 ? 1 : 0);
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      const double u = random.uniform();
      const auto first = static_cast<std::uint32_t>(kExperts * u * u);
      for (std::uint32_t choice = 0; choice < kTopK; ++choice) {
        const std::uint32_t expert = (first + 37 * choice) % kExperts;
        stream.uses.push_back({.expert = expert, .tokens = 1, .need = Need::High});
      }
      stream.visit_starts.push_back(stream.uses.size());
    }
  }
  return stream;
}

void replay(benchmark::State& state, const std::string& policy, std::size_t horizon) {
  static const AccessStream kStream = make_stream(4000);
  Parameters none(nlohmann::json::object(), {});
  OffloadSetup setup;
  setup.policy = Registry<CachePolicy>::instance().create(policy, "cache policy", none);
  setup.tier.host = {.bandwidth = BytesPerSecond{64e9}, .latency = Seconds{10e-6}};
  setup.high_bytes.assign(kLayers * kExperts, 44'000'000);
  setup.low_bytes = setup.high_bytes;
  setup.cache = {.high = {44'000'000 * static_cast<std::int64_t>(kLayers * kExperts / 5)},
                 .low = {0}};
  setup.time.byte_rate = 3.35e12;
  setup.time.flops_rate = 989e12;
  setup.prefetch = {.horizon = horizon, .accuracy = std::vector<double>(horizon, 0.9)};
  double hits = 0;
  for (auto _ : state) {
    hits = replay_offload(kStream, setup).counts.hit_ratio();
  }
  state.counters["hit_ratio"] = hits;
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kStream.uses.size()));
}

BENCHMARK_CAPTURE(replay, lru, "lru", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, lfu, "lfu", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, belady, "belady", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, random, "random", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, hobbit, "hobbit", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(replay, lru_prefetching, "lru", 1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchyard

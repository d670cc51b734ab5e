// The gate projection beside the multiply-add peak of the same core, both in FLOP/s.
#include <benchmark/benchmark.h>
#include <omp.h>

#include "core/numbers/random.hpp"
#include "kernels/stages/gate_projection.hpp"

namespace switchyard {
namespace {

#if defined(__x86_64__)
/// Twelve independent chains hide the latency of two multiply-add units.
[[gnu::target("arch=x86-64-v4")]] void multiply_add_chains(std::int64_t rounds) {
  for (std::int64_t round = 0; round < rounds; ++round) {
    __asm__ volatile(
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm0\n vfmadd213ps %%zmm30, %%zmm31, %%zmm1\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm2\n vfmadd213ps %%zmm30, %%zmm31, %%zmm3\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm4\n vfmadd213ps %%zmm30, %%zmm31, %%zmm5\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm6\n vfmadd213ps %%zmm30, %%zmm31, %%zmm7\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm8\n vfmadd213ps %%zmm30, %%zmm31, %%zmm9\n"
        "vfmadd213ps %%zmm30, %%zmm31, %%zmm10\n vfmadd213ps %%zmm30, %%zmm31, %%zmm11\n"
        :
        :
        : "xmm0",
          "xmm1",
          "xmm2",
          "xmm3",
          "xmm4",
          "xmm5",
          "xmm6",
          "xmm7",
          "xmm8",
          "xmm9",
          "xmm10",
          "xmm11");
  }
}

/// Zeroed registers: subnormal or NaN operands would not change the rate on these units anyway.
[[gnu::target("arch=x86-64-v4")]] void clear_registers() {
  __asm__ volatile(
      "vpxord %%zmm0, %%zmm0, %%zmm0\n vpxord %%zmm30, %%zmm30, %%zmm30\n"
      "vpxord %%zmm31, %%zmm31, %%zmm31\n" ::
          : "xmm0", "xmm30", "xmm31");
}

void multiply_add_peak(benchmark::State& state) {
  if (__builtin_cpu_supports("x86-64-v4") == 0) {
    state.SkipWithError("measured for 512-bit vectors only");
    return;
  }
  constexpr std::int64_t kRounds = 1'000'000;
  clear_registers();
  for (auto _ : state) {
    multiply_add_chains(kRounds);
  }
  state.counters["FLOP/s"] = benchmark::Counter(12.0 * 32 * static_cast<double>(kRounds),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(multiply_add_peak)->MinTime(0.5)->Repetitions(3)->ReportAggregatesOnly();
#endif

void project(benchmark::State& state) {
  omp_set_num_threads(1);
  constexpr std::size_t kTokens = 4096;
  const auto width = static_cast<std::size_t>(state.range(0));
  const auto experts = static_cast<std::size_t>(state.range(1));
  Matrix<float> hidden(kTokens, width);
  Matrix<float> gate(experts, width);
  RandomStream(1, {0}).fill_normal(hidden.values());
  RandomStream(1, {1}).fill_normal(gate.values());
  Matrix<float> logits(kTokens, experts);
  const GateProjection projection(gate.view());
  for (auto _ : state) {
    projection.project(hidden.view(), logits.view());
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(kTokens * width * experts),
                         benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(project)
    ->ArgNames({"hidden", "experts"})
    ->Args({2048, 64})
    ->Args({7168, 256})
    ->MinTime(0.5)
    ->Repetitions(3)
    ->ReportAggregatesOnly();

}  // namespace
}  // namespace switchyard

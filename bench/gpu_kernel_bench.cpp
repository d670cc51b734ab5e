// Router kernels on the first GPU, by CUDA events around each launch, without copies. Each needs a
// card; without one it says why and ends. bytes_per_second counts what a launch cannot avoid to
// move: to be held against the memory's rate. Inputs of the large cases exceed any L2 cache.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/device/complete_route_on_device.hpp"
#include "kernels/device/dispatch_layout_on_device.hpp"
#include "kernels/device/group_top_k_on_device.hpp"
#include "kernels/device/timed_device.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/hidden/tensor_projection.hpp"
#include "kernels/router.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::int32_t kManyTokens = 1 << 18;

bool has_gpu(benchmark::State& state) {
  if (cuda_device().is_usable) {
    return true;
  }
  state.SkipWithError(cuda_device().description.c_str());
  return false;
}

/// Device time of what `run` launches, each time anew; the first run, which loads kernels, is left
/// out.
template <class Run>
void time_launches(benchmark::State& state, std::int64_t tokens, std::int64_t bytes, Run run) {
  TimedDevice gpu;
  const DeviceStandIn stand_in(gpu);
  run(gpu);
  const int launches = gpu.launches();
  for (auto _ : state) {
    const double before = gpu.seconds();
    run(gpu);
    state.SetIterationTime(gpu.seconds() - before);
  }
  state.SetLabel(fmt::format("{}, {} launches", cuda_device().description, launches));
  state.SetItemsProcessed(state.iterations() * tokens);
  if (bytes > 0) {
    state.SetBytesProcessed(state.iterations() * bytes);
  }
}

Matrix<float> normal(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Matrix<float> values(rows, columns);
  RandomStream(seed, {rows, columns}).fill_normal(values.values());
  return values;
}

/// Normal logits in the format of `type`, in device memory. Half formats keep the upper bits: for
/// float16 that makes other values, all of them ordinary.
DeviceArray<std::uint16_t> logits_on(KernelDevice& device, const TopKShape& shape) {
  const Matrix<float> values =
      normal(static_cast<std::size_t>(shape.tokens), static_cast<std::size_t>(shape.experts), 1);
  std::vector<std::uint16_t> words;
  for (const float value : values.values()) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    if (shape.logit_type == LogitType::Float32) {
      words.push_back(static_cast<std::uint16_t>(bits));
    }
    words.push_back(static_cast<std::uint16_t>(bits >> 16U));
  }
  return {device, std::span<const std::uint16_t>(words)};
}

std::int64_t choices_of(const TopKShape& shape) {
  return std::int64_t{shape.tokens} * shape.slots;
}

/// Logits read once, ids and weights written once.
std::int64_t bytes_of(const TopKShape& shape) {
  const std::int64_t of_logit = shape.logit_type == LogitType::Float32 ? 4 : 2;
  return of_logit * shape.tokens * shape.experts + 8 * choices_of(shape);
}

void top_k(benchmark::State& state, LogitType type, bool is_renormalised) {
  if (!has_gpu(state)) {
    return;
  }
  const TopKShape shape{.logit_type = type,
                        .tokens = kManyTokens,
                        .experts = static_cast<std::int32_t>(state.range(0)),
                        .slots = static_cast<std::int32_t>(state.range(1))};
  const DeviceArray<std::uint16_t> logits = logits_on(gpu_device(), shape);
  const auto choices = static_cast<std::size_t>(choices_of(shape));
  const DeviceArray<std::int32_t> ids(gpu_device(), choices);
  const DeviceArray<float> weights(gpu_device(), choices);
  time_launches(state, shape.tokens, bytes_of(shape), [&](KernelDevice& device) {
    launch_top_k(device,
                 shape,
                 {.logits = logits.address(),
                  .expert_ids = ids.address(),
                  .gate_weights = weights.address(),
                  .is_renormalised = is_renormalised});
  });
}

BENCHMARK_CAPTURE(top_k, bf16, LogitType::Bfloat16, true)
    ->Args({256, 8})
    ->Args({64, 6})
    ->Args({128, 8})
    ->Args({512, 10})
    ->UseManualTime();
BENCHMARK_CAPTURE(top_k, bf16_over_all, LogitType::Bfloat16, false)
    ->Args({256, 8})
    ->UseManualTime();
BENCHMARK_CAPTURE(top_k, f16, LogitType::Float16, true)->Args({256, 8})->UseManualTime();
BENCHMARK_CAPTURE(top_k, f32, LogitType::Float32, true)
    ->Args({256, 8})
    ->Args({64, 6})
    ->UseManualTime();

/// 8 of the best 4 of 8 groups, as DeepSeek-V3 routes.
void group_limited_top_k(benchmark::State& state, LogitType type) {
  if (!has_gpu(state)) {
    return;
  }
  const TopKShape shape{.logit_type = type, .tokens = kManyTokens, .experts = 256, .slots = 8};
  const DeviceArray<std::uint16_t> logits = logits_on(gpu_device(), shape);
  const std::vector<float> no_bias(256);
  const DeviceArray<float> bias(gpu_device(), std::span<const float>(no_bias));
  const auto choices = static_cast<std::size_t>(choices_of(shape));
  const DeviceArray<std::int32_t> ids(gpu_device(), choices);
  const DeviceArray<float> weights(gpu_device(), choices);
  time_launches(state, shape.tokens, bytes_of(shape), [&](KernelDevice& device) {
    launch_group_top_k(device,
                       shape,
                       {.logits = logits.address(),
                        .bias = bias.address(),
                        .expert_ids = ids.address(),
                        .gate_weights = weights.address(),
                        .groups = 8,
                        .kept_groups = 4});
  });
}

BENCHMARK_CAPTURE(group_limited_top_k, bf16, LogitType::Bfloat16)->UseManualTime();
BENCHMARK_CAPTURE(group_limited_top_k, f32, LogitType::Float32)->UseManualTime();

std::vector<std::int32_t> blocks_of_experts(std::int32_t experts, std::int32_t ranks) {
  std::vector<std::int32_t> ranks_of(static_cast<std::size_t>(experts));
  for (std::int32_t expert = 0; expert < experts; ++expert) {
    ranks_of[static_cast<std::size_t>(expert)] = expert / (experts / ranks);
  }
  return ranks_of;
}

/// Choice and layout: 256 experts, 8 choices, 32 ranks on 4 nodes.
void complete_route(benchmark::State& state, LaunchPlan plan) {
  if (!has_gpu(state)) {
    return;
  }
  const std::vector<std::int32_t> ranks = blocks_of_experts(256, 32);
  const Matrix<float> logits = normal(static_cast<std::size_t>(state.range(0)), 256, 2);
  time_launches(state, state.range(0), 0, [&](KernelDevice&) {
    complete_route_on_device(logits.view(),
                             {.slots = 8},
                             {.expert_to_rank = ranks, .ranks = 32, .ranks_per_node = 8},
                             plan);
  });
}

BENCHMARK_CAPTURE(complete_route, one_launch, LaunchPlan::OneLaunch)
    ->Arg(32)
    ->Arg(128)
    ->UseManualTime();
BENCHMARK_CAPTURE(complete_route, three_launches, LaunchPlan::ThreeLaunches)
    ->Arg(32)
    ->Arg(128)
    ->Arg(4096)
    ->Arg(65536)
    ->UseManualTime();

constexpr std::int64_t kGateTokens = 16384;

std::unique_ptr<Router> router_on_gpu(const std::string& name, json parameters) {
  parameters["executor"] = "cuda";
  Parameters values(parameters, {"benchmark", ""});
  return Registry<Router>::instance().create(name, "router", values);
}

void tensor_projection(benchmark::State& state) {
  if (!has_gpu(state)) {
    return;
  }
  const auto experts = static_cast<std::size_t>(state.range(0));
  const auto width = static_cast<std::size_t>(state.range(1));
  const Matrix<float> hidden = normal(kGateTokens, width, 3);
  const Matrix<float> gate = normal(experts, width, 4);
  const std::int64_t bytes = 2 * (kGateTokens + state.range(0)) * state.range(1);
  time_launches(state, kGateTokens, bytes, [&](KernelDevice&) {
    project_in_bfloat16_on_device(hidden.view(), gate.view());
  });
}

BENCHMARK(tensor_projection)->Args({64, 2048})->Args({256, 7168})->UseManualTime()->Iterations(10);

/// The router `ac` with the gate projection of its own: in its first layers, and with clusters.
void adaptive_clustering(benchmark::State& state, bool has_clusters) {
  if (!has_gpu(state)) {
    return;
  }
  constexpr std::size_t kExperts = 8;
  const auto width = static_cast<std::size_t>(state.range(0));
  const auto router = router_on_gpu("ac", {{"k", 2}, {"plain_layers", has_clusters ? 1 : 9}});
  const Matrix<float> hidden = normal(kGateTokens, width, 5);
  const Matrix<float> gate = normal(kExperts, width, 6);
  RoutingDecision before = RoutingDecision::empty(kGateTokens, 2);
  for (std::size_t token = 0; token < kGateTokens; ++token) {
    before.expert_ids(token, 0) = static_cast<std::int32_t>(token % kExperts);
  }
  const RouterInput input{
      .hidden = hidden.view(), .gate = gate.view(), .previous_layer = &before, .layer = 1};
  const std::int64_t bytes = 4 * (kGateTokens + 8) * state.range(0);
  time_launches(state, kGateTokens, bytes, [&](KernelDevice&) { router->route(input); });
}

BENCHMARK_CAPTURE(adaptive_clustering, plain_gate, false)
    ->Arg(4096)
    ->UseManualTime()
    ->Iterations(10);
BENCHMARK_CAPTURE(adaptive_clustering, with_clusters, true)
    ->Arg(4096)
    ->UseManualTime()
    ->Iterations(10);

/// Every router with a CUDA form, defaults, 64 experts.
void router_kernels(benchmark::State& state, const std::string& name) {
  if (!has_gpu(state)) {
    return;
  }
  const auto router = router_on_gpu(name, json::object());
  const Matrix<float> hidden = normal(kGateTokens, 256, 7);
  const Matrix<float> gate = normal(64, 256, 8);
  const Matrix<float> logits = normal(kGateTokens, 64, 9);
  std::vector<std::int64_t> numbers(kGateTokens);
  std::vector<std::int64_t> sequences(kGateTokens);
  for (std::size_t token = 0; token < numbers.size(); ++token) {
    numbers[token] = static_cast<std::int64_t>(token);
    sequences[token] = static_cast<std::int64_t>(token / 512);
  }
  const RouterInput input{.logits = logits.view(),
                          .hidden = hidden.view(),
                          .gate = gate.view(),
                          .token_ids = numbers,
                          .sequence_ids = sequences,
                          .seed = 1};
  time_launches(state, kGateTokens, 0, [&](KernelDevice&) { router->route(input); });
}

void register_routers() {
  for (const std::string& name : Registry<Router>::instance().names()) {
    const auto parameters = Registry<Router>::instance().describe(name, "router");
    if (std::ranges::any_of(parameters, [](const auto& one) { return one.name == "executor"; })) {
      benchmark::RegisterBenchmark(("router/" + name).c_str(),
                                   [name](benchmark::State& state) { router_kernels(state, name); })
          ->UseManualTime()
          ->Iterations(10);
    }
  }
}

[[maybe_unused]] const bool is_registered = (register_routers(), true);

}  // namespace
}  // namespace switchyard

// How large the caches of an offload scenario are.
#include <algorithm>

#include <fmt/format.h>

#include "sim/offload/offload_scenario.hpp"
#include "sim/offload/slot_split.hpp"

namespace switchyard {
namespace {

// Tokens of the trace by the number of experts they use, a share of each layer's.
std::vector<LayerDemand> layer_demands(const RoutingTrace& trace, const AccessStream& stream) {
  std::vector<LayerDemand> demands(stream.layers);
  std::vector<double> rows(stream.layers, 0);
  for (LayerDemand& demand : demands) {
    demand.choices.assign(stream.top_k + 1, 0);
  }
  for (const Chunk& chunk : trace.chunks()) {
    const auto at =
        std::lower_bound(stream.layer_numbers.begin(), stream.layer_numbers.end(), chunk.layer);
    const auto layer = static_cast<std::size_t>(at - stream.layer_numbers.begin());
    const ExpertIds ids = trace.expert_ids(chunk);
    rows[layer] += static_cast<double>(ids.rows());
    for (std::size_t row = 0; row < ids.rows(); ++row) {
      std::size_t chosen = 0;
      for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
        chosen += ids.at(row, choice) != kNoExpert ? 1 : 0;
      }
      demands[layer].choices[chosen] += 1;
    }
  }
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    for (double& share : demands[layer].choices) {
      share /= std::max(1.0, rows[layer]);
    }
  }
  return demands;
}

std::vector<std::size_t> adapmoe_slots(const OffloadScenario& scenario, std::size_t budget) {
  const AccessStream& stream = scenario.stream;
  const PrefetchRule& prefetch = scenario.setup.prefetch;
  const std::size_t gpus = scenario.memory.tier.gpus;
  const std::size_t most = (stream.experts + gpus - 1) / gpus;
  std::vector<LayerDemand> demands = layer_demands(*scenario.trace, stream);
  Matrix<double> costs(stream.layers, most + 1);
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    const bool is_predicted = prefetch.horizon > 0 && layer > 0;
    demands[layer].accuracy = is_predicted ? prefetch.accuracy_of(layer, 1) : 0;
    demands[layer].prefetched = prefetch.limit == 0 ? stream.top_k : prefetch.limit;
    for (std::size_t slots = 0; slots <= most; ++slots) {
      // Without predictions f is linear in the slots: of equal totals the most even is taken.
      constexpr double kEvenness = 1e-9;
      costs(layer, slots) = expected_loads(demands[layer], stream.experts, slots * gpus) +
                            kEvenness * static_cast<double>(slots * slots);
    }
  }
  return split_slots(costs, std::min(budget, stream.layers * most));
}

std::vector<std::size_t> measured_slots(const OffloadScenario& scenario, std::size_t budget) {
  const AccessStream& stream = scenario.stream;
  const std::size_t gpus = scenario.memory.tier.gpus;
  const std::size_t most = (stream.experts + gpus - 1) / gpus;
  const Matrix<double> loads = measured_loads(stream);
  Matrix<double> costs(stream.layers, most + 1);
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    for (std::size_t slots = 0; slots <= most; ++slots) {
      costs(layer, slots) = loads(layer, std::min(stream.experts, slots * gpus));
    }
  }
  return split_slots(costs, std::min(budget, stream.layers * most));
}

// Bytes of expert weights that a GPU may keep.
std::int64_t cache_bytes(const OffloadScenario& scenario, const Location& where) {
  const MemoryChoice& memory = scenario.memory;
  const std::int64_t expert = largest(scenario.bytes.high);
  if (memory.cache.count > 0) {
    return memory.cache.count;
  }
  if (memory.cached_experts > 0) {
    return memory.cached_experts * expert;
  }
  if (scenario.device.memory.count == 0) {
    throw InvalidInput(
        fmt::format("the preset of {} does not say how much memory it has", scenario.device.name),
        where.child("cache"),
        "set memory.cache, such as 16GB");
  }
  const std::int64_t left =
      scenario.device.memory.count - memory.reserved.count - scenario.shared_bytes;
  if (left <= 0) {
    throw InvalidInput(
        fmt::format("{} of memory leave nothing beside {} reserved and {} of tensors "
                    "that experts share",
                    format_quantity(scenario.device.memory),
                    format_quantity(memory.reserved),
                    format_quantity(Bytes{scenario.shared_bytes})),
        where.child("reserved"));
  }
  return left;
}

// A token's experts must find room in full precision, at least those that one GPU has of them.
void check_room(const OffloadScenario& scenario, std::int64_t high, const Location& where) {
  const std::size_t gpus = scenario.memory.tier.gpus;
  const std::size_t of_gpu = (scenario.stream.experts + gpus - 1) / gpus;
  const auto needed = static_cast<std::int64_t>(std::min(scenario.stream.top_k, of_gpu));
  const std::int64_t expert = largest(scenario.bytes.high);
  if (high < needed * expert) {
    throw InvalidInput(
        fmt::format(
            "a cache of {} has room for {} of the experts, {} each, but a token needs {} at once",
            format_quantity(Bytes{high}),
            high / expert,
            format_quantity(Bytes{expert}),
            needed),
        where.child("cache"),
        fmt::format("give it at least {}", format_quantity(Bytes{needed * expert})));
  }
}

}  // namespace

CacheSizes cache_sizes(const OffloadScenario& scenario,
                       const Location& where,
                       std::vector<std::size_t>& slots) {
  if (scenario.memory.tier.gpus > scenario.stream.experts) {
    throw InvalidInput(fmt::format("{} GPUs for the {} experts of a layer leave some without any",
                                   scenario.memory.tier.gpus,
                                   scenario.stream.experts),
                       where.child("gpus"));
  }
  const std::int64_t total = cache_bytes(scenario, where);
  const bool is_mixed = scenario.precision.rule.is_on();
  const auto low =
      is_mixed
          ? static_cast<std::int64_t>(static_cast<double>(total) * scenario.precision.low_share)
          : std::int64_t{0};
  const std::int64_t high = total - low;
  check_room(scenario, high, where);
  if (scenario.memory.split == CacheSplit::Shared) {
    return {.high = {high}, .low = {low}};
  }
  const std::size_t layers = scenario.stream.layers;
  const std::int64_t expert = largest(scenario.bytes.high);
  const auto budget = static_cast<std::size_t>(high / expert);
  slots = scenario.memory.split == CacheSplit::Equal     ? equal_slots(layers, budget)
          : scenario.memory.split == CacheSplit::AdapMoE ? adapmoe_slots(scenario, budget)
                                                         : measured_slots(scenario, budget);
  CacheSizes sizes;
  for (const std::size_t of_layer : slots) {
    const auto share =
        static_cast<double>(of_layer) / static_cast<double>(std::max<std::size_t>(1, budget));
    sizes.high.push_back(static_cast<std::int64_t>(of_layer) * expert);
    sizes.low.push_back(static_cast<std::int64_t>(static_cast<double>(low) * share));
  }
  return sizes;
}

}  // namespace switchyard

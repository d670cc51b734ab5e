// What an offload run needs, named by one JSON document in the manner of a simulation's scenario.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sim/model.hpp"
#include "sim/offload/expert_bytes.hpp"
#include "sim/offload/replay.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

/// How a GPU's cache is divided.
enum class CacheSplit { Shared, Equal, AdapMoE, Measured };

/// The scenario's "memory".
struct MemoryChoice {
  MemoryTier tier;
  Bytes cache;                      // experts that a GPU keeps; 0 = `cached_experts`, or what fits
  std::int64_t cached_experts = 0;  // the same as a number of full-precision experts
  Bytes reserved;                   // of the device's memory, for all that is no expert
  CacheSplit split = CacheSplit::Shared;
};

/// Everything read, checked and built.
struct OffloadScenario {
  std::shared_ptr<const RoutingTrace> trace;
  ModelCost model;
  ComputeDevice device;
  MemoryChoice memory;
  PrecisionChoice precision;
  BatchRule batch;
  ExpertBytes bytes;
  std::int64_t shared_bytes = 0;  // on each GPU beside the cache: MPOE's central tensors
  AccessStream stream;
  OffloadSetup setup;
  std::vector<std::size_t> slots;  // [layers] of a GPU, where the cache is divided by layer
  std::string resolved_json;       // canonical, every default filled in
  std::string hash;                // XXH3 of resolved_json, 16 hex digits
};

/// The document with nothing but defaults.
nlohmann::json default_offload_document();

/// Opens the trace the document names, or takes `routing`, and builds the rest. Throws InvalidInput
/// with the place of the mistake and the numbers that clash, MissingCapability if the trace does
/// not hold what is asked for.
OffloadScenario load_offload(const nlohmann::json& document,
                             const Location& where,
                             std::shared_ptr<const RoutingData> routing = nullptr,
                             const Progress& progress = {});

/// Readers of the sections, which also document them.
MemoryChoice read_memory(Parameters& parameters);
PrefetchRule read_prefetch(Parameters& parameters, std::size_t layers);
BatchRule read_batching(Parameters& parameters);

/// The scenario's "cpu".
struct CpuChoice {
  MissRule miss = MissRule::Fetch;
  Seconds expert_time{0};
  Seconds row_time{0};
};

CpuChoice read_cpu(Parameters& parameters);

/// Caches of `memory` for experts of these bytes. Throws InvalidInput if a GPU's cannot hold the
/// experts of one token. `slots` receives the layers' shares where there are any.
CacheSizes cache_sizes(const OffloadScenario& scenario,
                       const Location& where,
                       std::vector<std::size_t>& slots);

}  // namespace switchyard

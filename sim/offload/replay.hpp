// Replay of an access stream on GPUs that hold only a part of the experts: what is cached, what is
// copied when, and how long everybody waits.
//
// In each layer the router decides once attention and other work are done. Then the layer's missing
// experts are queued on the copy engines, after them what is prefetched for later layers. An engine
// copies one expert after the other in the order of the queue and never stops a copy (HOBBIT, arXiv
// 2411.01433). A GPU computes cached experts at once and the others as they arrive.
// The layer ends when the last GPU, or the CPU, is done.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/numbers/units.hpp"
#include "core/run_control.hpp"
#include "sim/cache_policy.hpp"
#include "sim/offload/access_stream.hpp"
#include "sim/offload/prediction.hpp"

namespace switchyard {

/// A way for experts, one copy at a time.
struct CopyLink {
  BytesPerSecond bandwidth;  // 0 = there is no such link
  Seconds latency{0};        // of each copy

  [[nodiscard]] bool exists() const { return bandwidth.value > 0; }

  [[nodiscard]] double seconds(std::int64_t bytes) const {
    return latency.count() + static_cast<double>(bytes) / bandwidth.value;
  }
};

/// Where experts are that no GPU holds.
struct MemoryTier {
  std::size_t gpus = 1;           // expert e belongs to GPU e * gpus / experts
  std::size_t gpus_per_link = 1;  // that share a host link
  CopyLink host;                  // host memory to GPU; none = both are the same memory
  CopyLink ssd;                   // SSD to host memory (to the GPU, without a host link)
  std::int64_t host_bytes = 0;    // with an SSD: expert weights that host memory caches
};

/// Bytes of experts that a GPU keeps: one pool, or one for each layer.
struct CacheSizes {
  std::vector<std::int64_t> high;  // [1] or [layers] in full precision
  std::vector<std::int64_t> low;   // the same length: in low precision
};

/// How long an expert computes: a roofline, as expert_work() of sim/model.hpp.
struct ExpertTime {
  double flops_per_row = 0;
  double rebuild_flops = 0;  // of stored weights into matrices (MPOE)
  double flops_rate = 1;
  double byte_rate = 1;
  double row_bytes = 0;  // activations in and out
  double launch_s = 0;
  double expand_s = 0;     // to turn low-precision weights into those that the GPU computes with
  double cpu_first_s = 0;  // one token on the CPU
  double cpu_row_s = 0;    // each further one

  [[nodiscard]] double gpu(std::uint32_t tokens, std::int64_t bytes, bool is_quantised) const;
  [[nodiscard]] double cpu(std::uint32_t tokens) const;
};

/// What is done about an expert that is not there.
enum class MissRule { Fetch, Cpu, Fastest };

struct OffloadSetup {
  std::shared_ptr<const CachePolicy> policy;
  MemoryTier tier;
  CacheSizes cache;
  std::vector<std::int64_t> high_bytes;  // [layers * experts]
  std::vector<std::int64_t> low_bytes;   // [layers * experts]
  bool is_quantised = false;             // the high precision too (bit widths by expert)
  ExpertTime time;
  Seconds other_per_layer{0};  // attention, norms, router: once per pass and layer
  MissRule miss = MissRule::Fetch;
  PrefetchRule prefetch;
  std::uint64_t seed = 0;
};

/// What became of the uses. uses = hits + prefetched + late + loads + computed_on_cpu + skipped.
struct UseCounts {
  std::int64_t uses = 0;
  std::int64_t hits = 0;        // in the cache when the router decided
  std::int64_t prefetched = 0;  // copied before that, in time
  std::int64_t late = 0;        // prefetched, but still under way
  std::int64_t loads = 0;       // copied on demand
  std::int64_t computed_on_cpu = 0;
  std::int64_t skipped = 0;

  UseCounts& operator+=(const UseCounts& other);
  [[nodiscard]] double hit_ratio() const;
  [[nodiscard]] double ready_ratio() const;  // hits and prefetched
  bool operator==(const UseCounts&) const = default;
};

struct LinkUse {
  std::string name;  // "host", "ssd"
  std::int64_t demand_bytes = 0;
  std::int64_t prefetch_bytes = 0;
  std::int64_t copies = 0;
  double busy_s = 0;  // of all engines of this kind
  std::size_t engines = 0;

  [[nodiscard]] std::int64_t bytes() const { return demand_bytes + prefetch_bytes; }

  bool operator==(const LinkUse&) const = default;
};

struct OffloadLayer {
  std::int64_t number = 0;  // the model's
  UseCounts counts;
  double stall_s = 0;

  bool operator==(const OffloadLayer&) const = default;
};

struct OffloadResult {
  std::int64_t tokens = 0;
  std::int64_t passes = 0;
  UseCounts counts;
  std::vector<OffloadLayer> layers;
  std::vector<LinkUse> links;
  double total_s = 0;
  double other_s = 0;
  double compute_s = 0;  // of experts, slowest GPU of each layer, all on GPUs
  double stall_s = 0;    // total - other - compute, layer by layer, not below 0
  double gpu_busy_s = 0;
  double cpu_busy_s = 0;
  double unique_experts = 0;    // mean per pass and layer with uses
  double load_equivalents = 0;  // demand copies in units of a full-precision expert
  std::int64_t prefetches = 0;
  std::int64_t wasted_prefetches = 0;  // never used
  std::int64_t most_staged_bytes = 0;  // prefetched and not yet used, all GPUs
  std::int64_t most_cached_bytes = 0;  // of one GPU

  [[nodiscard]] double seconds_per_token() const;
  /// HOBBIT's miss penalty: demand copies per use, a low-precision one counting B_low / B_high.
  [[nodiscard]] double miss_penalty() const;
  bool operator==(const OffloadResult&) const = default;
};

/// Pure: equal arguments give equal results, to the last bit.
OffloadResult replay_offload(const AccessStream& stream,
                             const OffloadSetup& setup,
                             const Progress& progress = {});

}  // namespace switchyard

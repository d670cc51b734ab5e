#include "sim/offload/replay.hpp"

#include <algorithm>
#include <numeric>

#include "core/check.hpp"
#include "core/numbers/mix_bits.hpp"
#include "sim/offload/copy_engines.hpp"
#include "sim/offload/gpu_cache.hpp"

namespace switchyard {
namespace {

constexpr double kNotStaged = -1;

// A prefetched expert waits beside the cache for the layer it was fetched for.
struct Staged {
  double ready = kNotStaged;
  std::int64_t bytes = 0;
  bool is_high = true;
};

struct Arrival {
  double ready = 0;
  double compute_s = 0;
};

struct Gpu {
  GpuCache cache;
  // Of the visit being replayed:
  double cached_s = 0;  // compute of experts that are there
  double ideal_s = 0;   // compute of all its experts
  std::vector<Arrival> arrivals = {};
};

class Replay {
 public:
  Replay(const AccessStream& stream, const OffloadSetup& setup)
      : stream_(stream),
        setup_(setup),
        next_(setup.policy->needs_future() ? next_uses(stream) : std::vector<std::int64_t>()),
        next_of_key_(next_.empty() ? 0 : keys(), kNeverUsed),
        pins_(keys(), 0),
        staged_(keys()),
        staged_for_(stream.layers),
        pinned_for_(stream.layers),
        engines_(setup.tier, *setup.policy, shape()) {
    for (std::size_t use = next_.size(), visit = stream.visits(); visit-- > 0;) {
      while (use > stream.visit_starts[visit]) {
        --use;
        next_of_key_[key_of(visit % stream.layers, stream.uses[use])] =
            static_cast<std::int64_t>(use);
      }
    }
    gpus_.reserve(setup.tier.gpus);
    for (std::size_t gpu = 0; gpu < setup.tier.gpus; ++gpu) {
      gpus_.push_back({.cache = GpuCache(*setup.policy, setup.cache, shape())});
    }
    result_.layers.resize(stream.layers);
    for (std::size_t layer = 0; layer < stream.layers; ++layer) {
      result_.layers[layer].number = stream.layer_numbers[layer];
    }
  }

  OffloadResult run(const Progress& progress) {
    constexpr std::size_t kBetweenLooks = 256;
    for (std::size_t pass = 0; pass < stream_.passes(); ++pass) {
      if (pass % kBetweenLooks == 0) {
        throw_if_interrupted();
        if (progress) {
          progress("replaying", static_cast<double>(pass) / static_cast<double>(stream_.passes()));
        }
      }
      start_pass(pass);
      for (std::size_t layer = 0; layer < stream_.layers; ++layer) {
        visit(pass, layer);
      }
    }
    finish();
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::size_t keys() const { return stream_.layers * stream_.experts; }

  [[nodiscard]] std::uint32_t key_of(std::size_t layer, const ExpertDemand& use) const {
    return static_cast<std::uint32_t>(layer * stream_.experts + use.expert);
  }

  [[nodiscard]] CacheShape shape() const {
    return {.first_layer = 0,
            .layers = stream_.layers,
            .model_layers = stream_.layers,
            .experts = stream_.experts,
            .next_use = next_of_key_,
            .seed = mix_bits(setup_.seed, 0)};
  }

  [[nodiscard]] Gpu& gpu_of(const ExpertDemand& use) { return gpus_[gpu_index(use)]; }

  [[nodiscard]] std::size_t gpu_index(const ExpertDemand& use) const {
    return use.expert * gpus_.size() / stream_.experts;
  }

  [[nodiscard]] std::int64_t bytes_of(std::uint32_t key, bool is_high) const {
    return is_high ? setup_.high_bytes[key] : setup_.low_bytes[key];
  }

  [[nodiscard]] double compute_s(const ExpertDemand& use, std::uint32_t key, bool is_high) const {
    return setup_.time.gpu(use.tokens, bytes_of(key, is_high), setup_.is_quantised || !is_high);
  }

  void start_pass(std::size_t pass) {
    if (stream_.starts_sequence[pass] != 0) {
      moment_.token = 0;
      engines_.start_sequence();
      for (Gpu& gpu : gpus_) {
        gpu.cache.start_sequence();
      }
    }
    ++moment_.token;
  }

  void visit(std::size_t pass, std::size_t layer) {
    const std::span<const ExpertDemand> uses = stream_.visit(pass, layer);
    const auto first = static_cast<std::size_t>(uses.data() - stream_.uses.data());
    moment_.layer = static_cast<std::int64_t>(layer);
    now_ += setup_.other_per_layer.count();
    cpu_end_ = now_;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      const std::uint32_t key = key_of(layer, uses[i]);
      ++pins_[key];
      if (!next_.empty()) {
        next_of_key_[key] = next_[first + i];
      }
    }
    served_.clear();
    for (const ExpertDemand& use : uses) {
      const std::uint32_t key = key_of(layer, use);
      serve(use, key, result_.layers[layer].counts);
      served_.push_back(key);
    }
    prefetch(pass, layer);
    unpin_served();
    release(layer);
    result_.unique_experts += static_cast<double>(uses.size());
    visits_with_uses_ += uses.empty() ? 0 : 1;
    end_layer(result_.layers[layer]);
  }

  void serve(const ExpertDemand& use, std::uint32_t key, UseCounts& counts) {
    ++counts.uses;
    Gpu& gpu = gpu_of(use);
    moment_.is_high = use.need == Need::High;
    const bool is_high = gpu.cache.contains(key, true);
    if (is_high || (use.need != Need::High && gpu.cache.contains(key, false))) {
      gpu.cache.use(key, is_high, moment_);
      ++counts.hits;
      gpu.cached_s += compute_s(use, key, is_high);
      gpu.ideal_s += compute_s(use, key, is_high);
      return;
    }
    if (staged_[key].ready != kNotStaged && (staged_[key].is_high || use.need != Need::High)) {
      use_staged(use, key, counts);
      return;
    }
    if (use.need == Need::Skip) {
      ++counts.skipped;
      return;
    }
    load(use, key, counts);
  }

  void use_staged(const ExpertDemand& use, std::uint32_t key, UseCounts& counts) {
    const Staged staged = staged_[key];
    staged_[key] = {};
    staged_bytes_ -= staged.bytes;
    ++(staged.ready <= now_ ? counts.prefetched : counts.late);
    arrive(use, key, staged.is_high, staged.ready);
  }

  void load(const ExpertDemand& use, std::uint32_t key, UseCounts& counts) {
    const bool is_high = use.need == Need::High;
    const std::int64_t bytes = bytes_of(key, is_high);
    const std::size_t gpu = gpu_index(use);
    if (setup_.miss != MissRule::Fetch) {
      const double cpu_s = setup_.time.cpu(use.tokens);
      const double on_cpu = cpu_end_ + cpu_s;
      const bool takes_cpu =
          setup_.miss == MissRule::Cpu ||
          on_cpu <= engines_.estimate(gpu, key, bytes, now_) + compute_s(use, key, is_high);
      if (takes_cpu) {
        cpu_end_ = on_cpu;
        result_.cpu_busy_s += cpu_s;
        gpus_[gpu].ideal_s += compute_s(use, key, is_high);
        ++counts.computed_on_cpu;
        return;
      }
    }
    ++counts.loads;
    result_.load_equivalents +=
        static_cast<double>(bytes) / static_cast<double>(setup_.high_bytes[key]);
    arrive(use, key, is_high, engines_.copy(gpu, key, bytes, now_, true, moment_));
  }

  // A copy that is (or will be) complete is computed, and kept if there is room.
  void arrive(const ExpertDemand& use, std::uint32_t key, bool is_high, double ready) {
    Gpu& gpu = gpu_of(use);
    const double seconds = compute_s(use, key, is_high);
    gpu.ideal_s += seconds;
    gpu.arrivals.push_back({.ready = ready, .compute_s = seconds});
    const std::int64_t bytes = bytes_of(key, is_high);
    const bool is_kept = gpu.cache.insert(key, is_high, bytes, moment_, pins_);
    if (!is_kept && !served_.empty()) {  // what this layer has computed may go
      unpin_served();
      gpu.cache.insert(key, is_high, bytes, moment_, pins_);
    }
  }

  void prefetch(std::size_t pass, std::size_t layer) {
    const PrefetchRule& rule = setup_.prefetch;
    const std::size_t last = std::min(rule.horizon, stream_.layers - 1 - layer);
    for (std::size_t distance = 1; distance <= last; ++distance) {
      const std::size_t target = layer + distance;
      const std::uint64_t draw = mix_bits(mix_bits(mix_bits(setup_.seed, pass), target), distance);
      predict(stream_.visit(pass, target),
              stream_.experts,
              rule.accuracy_of(target, distance),
              rule.errs_by_layer,
              draw,
              predicted_);
      if (fetch_missing(target) > 0) {
        return;  // deeper layers wait until this one has everything
      }
    }
  }

  void unpin_served() {
    for (const std::uint32_t key : served_) {
      --pins_[key];
    }
    served_.clear();
  }

  // Queues copies of predicted experts and pins those that are there. Answers how many were
  // missing.
  std::size_t fetch_missing(std::size_t target) {
    std::size_t missing = 0;
    for (const ExpertDemand& use : predicted_) {
      const std::uint32_t key = key_of(target, use);
      const GpuCache& cache = gpu_of(use).cache;
      if (cache.contains(key, true) || (use.need != Need::High && cache.contains(key, false))) {
        ++pins_[key];
        pinned_for_[target].push_back(key);
        continue;
      }
      if (use.need == Need::Skip || staged_[key].ready != kNotStaged) {
        continue;
      }
      ++missing;
      if (setup_.prefetch.limit == 0 || missing <= setup_.prefetch.limit) {
        stage(use, key, target);
      }
    }
    return missing;
  }

  void stage(const ExpertDemand& use, std::uint32_t key, std::size_t target) {
    const bool is_high = use.need == Need::High;
    const std::int64_t bytes = bytes_of(key, is_high);
    staged_[key] = {.ready = engines_.copy(gpu_index(use), key, bytes, now_, false, moment_),
                    .bytes = bytes,
                    .is_high = is_high};
    staged_for_[target].push_back(key);
    ++result_.prefetches;
    staged_bytes_ += bytes;
    result_.most_staged_bytes = std::max(result_.most_staged_bytes, staged_bytes_);
  }

  // What was fetched or pinned for this layer has had its turn.
  void release(std::size_t layer) {
    for (const std::uint32_t key : staged_for_[layer]) {
      if (staged_[key].ready != kNotStaged) {
        staged_bytes_ -= staged_[key].bytes;
        staged_[key] = {};
        ++result_.wasted_prefetches;
      }
    }
    staged_for_[layer].clear();
    for (const std::uint32_t key : pinned_for_[layer]) {
      --pins_[key];
    }
    pinned_for_[layer].clear();
  }

  void end_layer(OffloadLayer& layer) {
    double end = cpu_end_;
    double ideal_s = 0;
    for (Gpu& gpu : gpus_) {
      double cursor = now_ + gpu.cached_s;
      std::sort(gpu.arrivals.begin(), gpu.arrivals.end(), [](const auto& left, const auto& right) {
        return left.ready < right.ready;
      });
      result_.gpu_busy_s += gpu.cached_s;
      for (const Arrival& arrival : gpu.arrivals) {
        cursor = std::max(cursor, arrival.ready) + arrival.compute_s;
        result_.gpu_busy_s += arrival.compute_s;
      }
      end = std::max(end, cursor);
      ideal_s = std::max(ideal_s, gpu.ideal_s);
      gpu.arrivals.clear();
      gpu.cached_s = 0;
      gpu.ideal_s = 0;
      result_.most_cached_bytes = std::max(result_.most_cached_bytes, gpu.cache.used());
    }
    const double stall_s = std::max(0.0, end - now_ - ideal_s);
    layer.stall_s += stall_s;
    result_.compute_s += ideal_s;
    now_ = end;
  }

  void finish() {
    for (const OffloadLayer& layer : result_.layers) {
      result_.counts += layer.counts;
      result_.stall_s += layer.stall_s;
    }
    const UseCounts& counts = result_.counts;
    SWITCHYARD_CHECK(counts.uses == counts.hits + counts.prefetched + counts.late + counts.loads +
                                        counts.computed_on_cpu + counts.skipped,
                     "every use is served once");
    result_.tokens = stream_.tokens();
    result_.passes = static_cast<std::int64_t>(stream_.passes());
    result_.total_s = now_;
    result_.other_s =
        setup_.other_per_layer.count() * static_cast<double>(stream_.passes() * stream_.layers);
    result_.unique_experts /= std::max(1.0, static_cast<double>(visits_with_uses_));
    result_.links = engines_.uses();
  }

  const AccessStream& stream_;
  const OffloadSetup& setup_;
  std::vector<std::int64_t> next_;                      // [uses] or empty
  std::vector<std::int64_t> next_of_key_;               // [keys] or empty
  std::vector<std::uint16_t> pins_;                     // [keys]
  std::vector<Staged> staged_;                          // [keys]
  std::vector<std::vector<std::uint32_t>> staged_for_;  // [layers] keys
  std::vector<std::vector<std::uint32_t>> pinned_for_;  // [layers] keys
  CopyEngines engines_;
  std::vector<Gpu> gpus_;
  std::vector<std::uint32_t> served_;  // keys of this visit that still have their pin
  std::vector<ExpertDemand> predicted_;
  CacheMoment moment_{.token = 0};
  double now_ = 0;
  double cpu_end_ = 0;
  std::int64_t staged_bytes_ = 0;
  std::size_t visits_with_uses_ = 0;
  OffloadResult result_;
};

}  // namespace

OffloadResult replay_offload(const AccessStream& stream,
                             const OffloadSetup& setup,
                             const Progress& progress) {
  return Replay(stream, setup).run(progress);
}

}  // namespace switchyard

#include "sim/offload/offload_what_if.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>

namespace switchyard {
namespace {

class Study {
 public:
  Study(const OffloadScenario& scenario, const OffloadResult& result, const Progress& progress)
      : scenario_(scenario), base_s_(result.seconds_per_token()), progress_(progress) {}

  OffloadStudy run() {
    change_links();
    change_cache();
    change_split();
    change_prefetch();
    change_precision();
    std::stable_sort(study_.ranked.begin(),
                     study_.ranked.end(),
                     [](const auto& left, const auto& right) { return left.gain > right.gain; });
    return std::move(study_);
  }

 private:
  [[nodiscard]] double seconds(const AccessStream& stream, const OffloadSetup& setup) const {
    return replay_offload(stream, setup, progress_).seconds_per_token();
  }

  void add(const std::string& change, double time_s) {
    study_.ranked.push_back({.change = change,
                             .seconds_per_token = time_s,
                             .gain = base_s_ > 0 ? 1 - time_s / base_s_ : 0});
  }

  void add(const std::string& change, const std::function<void(OffloadSetup&)>& edit) {
    OffloadSetup setup = scenario_.setup;
    edit(setup);
    add(change, seconds(scenario_.stream, setup));
  }

  void change_links() {
    const MemoryTier& tier = scenario_.setup.tier;
    if (tier.host.exists()) {
      add("host link twice as fast",
          [](OffloadSetup& setup) { setup.tier.host.bandwidth.value *= 2; });
    }
    if (tier.ssd.exists()) {
      add("SSD link twice as fast",
          [](OffloadSetup& setup) { setup.tier.ssd.bandwidth.value *= 2; });
    }
    if (tier.ssd.exists() && tier.host.exists()) {
      add("every expert in host memory", [](OffloadSetup& setup) { setup.tier.ssd = {}; });
    }
  }

  [[nodiscard]] bool has_less_than_all() const {
    const std::vector<std::int64_t>& bytes = scenario_.setup.high_bytes;
    const std::vector<std::int64_t>& high = scenario_.setup.cache.high;
    const std::int64_t all = std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
    const std::int64_t held = std::accumulate(high.begin(), high.end(), std::int64_t{0});
    return held * static_cast<std::int64_t>(scenario_.setup.tier.gpus) < all;
  }

  void change_cache() {
    if (has_less_than_all()) {
      add("cache twice as large", [](OffloadSetup& setup) {
        for (auto* sizes : {&setup.cache.high, &setup.cache.low}) {
          for (std::int64_t& size : *sizes) {
            size *= 2;
          }
        }
      });
      if (!scenario_.setup.policy->needs_future()) {
        add("best possible eviction (policy belady)", [](OffloadSetup& setup) {
          Parameters none(nlohmann::json::object(), {});
          setup.policy = Registry<CachePolicy>::instance().create("belady", "cache policy", none);
        });
      }
    }
  }

  void change_split() {
    if (scenario_.memory.split == CacheSplit::Measured || !has_less_than_all()) {
      return;
    }
    OffloadScenario changed = scenario_;
    changed.memory.split = CacheSplit::Measured;
    changed.setup.cache = cache_sizes(changed, {}, changed.slots);
    add("cache split by layer as measured (split measured)",
        seconds(changed.stream, changed.setup));
  }

  void change_prefetch() {
    const PrefetchRule& rule = scenario_.setup.prefetch;
    const auto with_accuracy = [&](double accuracy) {
      OffloadSetup setup = scenario_.setup;
      setup.prefetch.horizon = std::max<std::size_t>(1, rule.horizon);
      setup.prefetch.accuracy.assign(setup.prefetch.horizon, accuracy);
      setup.prefetch.by_layer.clear();
      setup.prefetch.known_ahead = 0;
      return seconds(scenario_.stream, setup);
    };
    const double perfect_s = with_accuracy(1);
    add("next layer's experts predicted without mistakes", perfect_s);
    if (rule.horizon == 0) {
      return;
    }
    OffloadSetup without = scenario_.setup;
    without.prefetch.horizon = 0;
    PrefetchBreakEven even{.without_s = seconds(scenario_.stream, without),
                           .perfect_s = perfect_s,
                           .accuracy = std::nullopt};
    add("no prefetch", even.without_s);
    find_break_even(even, with_accuracy);
    study_.break_even = even;
  }

  // The highest accuracy below which prefetching costs time, between steps of a tenth.
  static void find_break_even(PrefetchBreakEven& even,
                              const std::function<double(double)>& with_accuracy) {
    constexpr int kSteps = 10;
    double above_s = even.perfect_s;
    for (int step = kSteps - 1; step >= 0 && even.perfect_s < even.without_s; --step) {
      const double accuracy = static_cast<double>(step) / kSteps;
      const double time_s = with_accuracy(accuracy);
      if (time_s >= even.without_s) {
        const double part = (time_s - even.without_s) / (time_s - above_s);
        even.accuracy = accuracy + part / kSteps;
        return;
      }
      above_s = time_s;
    }
  }

  void change_precision() {
    const bool has_weights =
        scenario_.trace->gate_weights(scenario_.trace->chunks().front()).has_value();
    if (scenario_.precision.rule.is_on() || !has_weights) {
      return;
    }
    constexpr PrecisionRule kHobbit{.t1 = 0.6, .t2 = 0.9};
    OffloadScenario changed = scenario_;
    changed.precision.rule = kHobbit;
    changed.stream = read_accesses(*scenario_.trace, scenario_.batch, kHobbit);
    try {
      changed.setup.cache = cache_sizes(changed, {}, changed.slots);
    } catch (const InvalidInput&) {
      return;  // no room for two caches
    }
    add(fmt::format("misses of light experts in {:g} bit or skipped (t1 0.6, t2 0.9)",
                    scenario_.precision.low_bits),
        seconds(changed.stream, changed.setup));
  }

  const OffloadScenario& scenario_;
  double base_s_;
  const Progress& progress_;
  OffloadStudy study_;
};

}  // namespace

OffloadStudy study_offload(const OffloadScenario& scenario,
                           const OffloadResult& result,
                           const Progress& progress) {
  return Study(scenario, result, progress).run();
}

OffloadLimit limit_of(const OffloadResult& result) {
  const double total = std::max(result.total_s, 1e-300);
  std::vector<OffloadLimit> all{{"GPU", result.compute_s / total},
                                {"other work", result.other_s / total},
                                {"CPU", result.cpu_busy_s / total}};
  for (const LinkUse& link : result.links) {
    all.push_back({link.name == "ssd" ? "SSD link" : "host link",
                   link.busy_s / static_cast<double>(link.engines) / total});
  }
  return *std::max_element(all.begin(), all.end(), [](const auto& left, const auto& right) {
    return left.busy_share < right.busy_share;
  });
}

}  // namespace switchyard

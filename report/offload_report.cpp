#include "report/offload_report.hpp"

#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "report/text_table.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double tokens_per_second(const OffloadResult& result) {
  return share(static_cast<double>(result.tokens), result.total_s);
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

std::string percent(double fraction) {
  return fmt::format("{:.1f} %", 100 * fraction);
}

std::string per_token(double seconds, const OffloadResult& result) {
  return format_quantity(Seconds{share(seconds, static_cast<double>(result.tokens))});
}

std::string head(const OffloadScenario& scenario, const OffloadResult& result) {
  const std::size_t gpus = scenario.setup.tier.gpus;
  const std::int64_t cache = sum(scenario.setup.cache.high) + sum(scenario.setup.cache.low);
  const std::int64_t all = sum(scenario.bytes.high);
  const std::string held =
      cache * static_cast<std::int64_t>(gpus) >= all
          ? fmt::format("room for all {} of expert weights", format_quantity(Bytes{all}))
          : fmt::format("{} of {} expert weights cached on each",
                        format_quantity(Bytes{cache}),
                        format_quantity(Bytes{all}));
  return fmt::format(
      "{} tokens in {} passes through {} MoE layers; {} experts a layer, {} each\n"
      "{} x {}: {}{}\n",
      result.tokens,
      result.passes,
      scenario.stream.layers,
      scenario.stream.experts,
      format_quantity(Bytes{largest(scenario.bytes.high)}),
      gpus,
      scenario.device.name,
      held,
      scenario.shared_bytes > 0 ? fmt::format(", beside {} that they share",
                                              format_quantity(Bytes{scenario.shared_bytes}))
                                : "");
}

std::string times(const OffloadResult& result, const TextStyle& style) {
  const OffloadLimit limit = limit_of(result);
  std::string text =
      fmt::format("  {:<20}{}\n",
                  "time per token",
                  style.bold(fmt::format("{}, {:.4g} tokens/s",
                                         format_quantity(Seconds{result.seconds_per_token()}),
                                         tokens_per_second(result))));
  text += fmt::format("  {:<20}{}\n", "  experts", per_token(result.compute_s, result));
  text +=
      fmt::format("  {:<20}{} waiting for experts\n", "  stall", per_token(result.stall_s, result));
  text += fmt::format("  {:<20}{}\n", "  other", per_token(result.other_s, result));
  text += fmt::format(
      "  {:<20}{}\n",
      "limited by",
      style.bold(fmt::format("{}, busy {} of the time", limit.name, percent(limit.busy_share))));
  return text;
}

std::string uses(const OffloadResult& result) {
  const UseCounts& counts = result.counts;
  const auto part = [&](std::int64_t count) {
    return percent(share(static_cast<double>(count), static_cast<double>(counts.uses)));
  };
  std::string text = fmt::format(
      "  {:<20}{:.2f} in each layer of a pass\n", "unique experts", result.unique_experts);
  text +=
      fmt::format("  {:<20}{} of {} uses", "hit ratio", percent(counts.hit_ratio()), counts.uses);
  if (counts.prefetched + counts.late > 0) {
    text += fmt::format(
        ", {} prefetched in time, {} too late", part(counts.prefetched), part(counts.late));
  }
  text += fmt::format("\n  {:<20}{} loaded on demand", "misses", part(counts.loads));
  if (counts.computed_on_cpu > 0) {
    text += fmt::format(", {} computed on the CPU", part(counts.computed_on_cpu));
  }
  if (counts.skipped > 0) {
    text += fmt::format(", {} skipped", part(counts.skipped));
  }
  text += fmt::format(
      "\n  {:<20}{:.3f} full-precision loads a use\n", "miss penalty", result.miss_penalty());
  for (const LinkUse& link : result.links) {
    text += fmt::format(
        "  {:<20}{} in {} copies, busy {} of the time\n",
        link.name == "ssd" ? "SSD link" : "host link",
        format_quantity(Bytes{link.bytes()}),
        link.copies,
        percent(share(link.busy_s / static_cast<double>(link.engines), result.total_s)));
  }
  if (result.prefetches > 0) {
    text += fmt::format("  {:<20}{}, {} never used; {} waiting at most\n",
                        "prefetches",
                        result.prefetches,
                        percent(share(static_cast<double>(result.wasted_prefetches),
                                      static_cast<double>(result.prefetches))),
                        format_quantity(Bytes{result.most_staged_bytes}));
  }
  return text;
}

std::string study_text(const OffloadStudy& study, const TextStyle& style) {
  std::string text = "\n" + style.bold("what if (each replayed)") + "\n";
  TextTable table({{"change", TextTable::Align::Left}, {"time per token"}, {"gain"}});
  for (const OffloadChange& change : study.ranked) {
    table.add({change.change,
               format_quantity(Seconds{change.seconds_per_token}),
               fmt::format("{:+.1f} %", 100 * change.gain)});
  }
  text += table.text();
  if (study.break_even) {
    const PrefetchBreakEven& even = *study.break_even;
    text += even.accuracy
                ? fmt::format("prefetch costs time below an accuracy of {:.2f}\n", *even.accuracy)
            : even.perfect_s < even.without_s ? "prefetch saves time at every accuracy\n"
                                              : "prefetch saves no time at any accuracy\n";
  }
  return text;
}

std::string layer_table(const OffloadScenario& scenario, const OffloadResult& result) {
  TextTable table(
      {{"layer"}, {"slots"}, {"uses"}, {"hits"}, {"ready"}, {"loads"}, {"stall per token"}});
  for (std::size_t layer = 0; layer < result.layers.size(); ++layer) {
    const OffloadLayer& row = result.layers[layer];
    table.add({fmt::format("{}", row.number),
               scenario.slots.empty() ? "-" : fmt::format("{}", scenario.slots[layer]),
               fmt::format("{}", row.counts.uses),
               percent(row.counts.hit_ratio()),
               percent(row.counts.ready_ratio()),
               fmt::format("{}", row.counts.loads),
               per_token(row.stall_s, result)});
  }
  return "\n" + table.text();
}

ordered_json counts_json(const UseCounts& counts) {
  return {{"uses", counts.uses},
          {"hits", counts.hits},
          {"prefetched_in_time", counts.prefetched},
          {"prefetched_late", counts.late},
          {"loads", counts.loads},
          {"computed_on_cpu", counts.computed_on_cpu},
          {"skipped", counts.skipped},
          {"hit_ratio", counts.hit_ratio()},
          {"ready_ratio", counts.ready_ratio()}};
}

ordered_json study_json(const OffloadStudy& study) {
  ordered_json object{{"ranked", ordered_json::array()}, {"prefetch_break_even", nullptr}};
  for (const OffloadChange& change : study.ranked) {
    object["ranked"].push_back({{"change", change.change},
                                {"time_per_token_s", change.seconds_per_token},
                                {"gain", change.gain}});
  }
  if (study.break_even) {
    const PrefetchBreakEven& even = *study.break_even;
    object["prefetch_break_even"] = {
        {"without_s", even.without_s},
        {"perfect_s", even.perfect_s},
        {"accuracy", even.accuracy ? ordered_json(*even.accuracy) : ordered_json()}};
  }
  return object;
}

ordered_json layers_json(const OffloadScenario& scenario, const OffloadResult& result) {
  ordered_json layers = ordered_json::array();
  for (std::size_t layer = 0; layer < result.layers.size(); ++layer) {
    const OffloadLayer& row = result.layers[layer];
    ordered_json object{{"layer", row.number}, {"slots", nullptr}};
    if (!scenario.slots.empty()) {
      object["slots"] = scenario.slots[layer];
    }
    object.update(counts_json(row.counts));
    object["stall_s"] = row.stall_s;
    layers.push_back(std::move(object));
  }
  return layers;
}

}  // namespace

std::string offload_text(const OffloadScenario& scenario,
                         const OffloadResult& result,
                         const std::optional<OffloadStudy>& study,
                         const TextStyle& style,
                         bool all) {
  return head(scenario, result) + times(result, style) + uses(result) +
         (study ? study_text(*study, style) : "") + (all ? layer_table(scenario, result) : "");
}

ordered_json offload_json(const OffloadScenario& scenario,
                          const OffloadResult& result,
                          const std::optional<OffloadStudy>& study) {
  const OffloadLimit limit = limit_of(result);
  ordered_json document{
      {"format_version", 1},
      {"scenario_hash", scenario.hash},
      {"scenario", ordered_json::parse(scenario.resolved_json)},
      {"tokens", result.tokens},
      {"passes", result.passes},
      {"expert_bytes", largest(scenario.bytes.high)},
      {"all_expert_bytes", sum(scenario.bytes.high)},
      {"shared_bytes", scenario.shared_bytes},
      {"cache_bytes", sum(scenario.setup.cache.high) + sum(scenario.setup.cache.low)},
      {"most_cached_bytes", result.most_cached_bytes},
      {"most_staged_bytes", result.most_staged_bytes},
      {"total_s", result.total_s},
      {"time_per_token_s", result.seconds_per_token()},
      {"tokens_per_s", tokens_per_second(result)},
      {"compute_s", result.compute_s},
      {"other_s", result.other_s},
      {"stall_s", result.stall_s},
      {"stall_per_token_s", share(result.stall_s, static_cast<double>(result.tokens))},
      {"gpu_busy_s", result.gpu_busy_s},
      {"cpu_busy_s", result.cpu_busy_s},
      {"limited_by", limit.name},
      {"limit_busy_share", limit.busy_share},
      {"unique_experts", result.unique_experts},
      {"miss_penalty", result.miss_penalty()}};
  document["experts"] = counts_json(result.counts);
  document["prefetches"] = result.prefetches;
  document["wasted_prefetches"] = result.wasted_prefetches;
  document["links"] = ordered_json::array();
  for (const LinkUse& link : result.links) {
    document["links"].push_back(
        {{"name", link.name},
         {"bytes", link.bytes()},
         {"demand_bytes", link.demand_bytes},
         {"prefetch_bytes", link.prefetch_bytes},
         {"copies", link.copies},
         {"busy_s", link.busy_s},
         {"busy_share", share(link.busy_s / static_cast<double>(link.engines), result.total_s)}});
  }
  if (!scenario.bytes.bits.empty()) {
    document["bits"] = scenario.bytes.bits;
  }
  document["layers"] = layers_json(scenario, result);
  document["what_if"] = study ? study_json(*study) : ordered_json();
  return document;
}

}  // namespace switchyard

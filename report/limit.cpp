// Limits are parsed before the run, so that a typing error costs no simulation.
#include "report/limit.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "core/components/suggestion.hpp"
#include "core/numbers/units.hpp"

namespace switchyard {
namespace {

using Comparison = Limit::Comparison;

constexpr const char* kImbalance = "imbalance";
// Longer signs first: ">=" begins with ">".
constexpr std::array<std::pair<std::string_view, Comparison>, 4> kSigns{
    {{">=", Comparison::AtLeast},
     {"<=", Comparison::AtMost},
     {">", Comparison::Above},
     {"<", Comparison::Below}}};

const Location kWhere{"--fail-if", ""};

std::string trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) {
    return {};
  }
  return std::string(text.substr(start, text.find_last_not_of(" \t") - start + 1));
}

// Keys whose value is a number; a text such as bottleneck_link has no limit.
std::vector<std::string> numeric_keys() {
  std::vector<std::string> keys{kImbalance};
  for (const Metric& metric : total_metrics({})) {
    if (metric.name != "bottleneck_link" && metric.name != "straggler_rank") {
      keys.push_back(metric.name);
    }
  }
  return keys;
}

double parse_bound(const std::string& text, const std::string& metric) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, number);
  if (problem == std::errc() && stopped == end) {
    return number;
  }
  if (metric.ends_with("_s")) {
    return parse_duration(text, kWhere).count();
  }
  if (metric.ends_with("_bytes")) {
    return static_cast<double>(parse_bytes(text, kWhere).count);
  }
  throw InvalidInput(fmt::format("\"{}\" is not a number", text), kWhere);
}

double metric_value(const Limit& limit, const SimulationResult& result) {
  if (limit.metric == kImbalance) {
    return std::max(result.total.expert_imbalance, result.total.rank_imbalance);
  }
  for (const Metric& metric : total_metrics(result)) {
    if (metric.name == limit.metric) {
      if (const auto* number = std::get_if<double>(&metric.value)) {
        return *number;
      }
    }
  }
  throw MissingCapability(fmt::format("{} cannot be computed from a trace of level {}",
                                      limit.metric,
                                      fidelity_name(result.fidelity)),
                          kWhere,
                          "see the notes of the run without --fail-if");
}

}  // namespace

bool Limit::is_broken_by(double value) const {
  switch (comparison) {
    case Comparison::Above:
      return value > bound;
    case Comparison::AtLeast:
      return value >= bound;
    case Comparison::Below:
      return value < bound;
    default:
      return value <= bound;
  }
}

Limit parse_limit(std::string_view text) {
  return parse_limit(text, numeric_keys());
}

Limit parse_limit(std::string_view text, const std::vector<std::string>& keys) {
  for (const auto& [sign, comparison] : kSigns) {
    const std::size_t position = text.find(sign);
    if (position == std::string_view::npos) {
      continue;
    }
    Limit limit{.text = std::string(text),
                .metric = trimmed(text.substr(0, position)),
                .comparison = comparison};
    if (std::find(keys.begin(), keys.end(), limit.metric) == keys.end()) {
      throw InvalidInput(fmt::format("no metric is called \"{}\"", limit.metric),
                         kWhere,
                         suggestion_hint(limit.metric, keys));
    }
    limit.bound = parse_bound(trimmed(text.substr(position + sign.size())), limit.metric);
    return limit;
  }
  throw InvalidInput(fmt::format("\"{}\" is not a limit", text),
                     kWhere,
                     "write METRIC > NUMBER, for example \"rank_imbalance > 1.5\"");
}

std::string broken_limit(const Limit& limit, const SimulationResult& result) {
  const double value = metric_value(limit, result);
  if (!limit.is_broken_by(value)) {
    return {};
  }
  return fmt::format("limit broken: {} ({} is {:.4g})", limit.text, limit.metric, value);
}

}  // namespace switchyard

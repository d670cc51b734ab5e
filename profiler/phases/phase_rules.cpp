#include "profiler/phases/phase_rules.hpp"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "core/components/embedded.hpp"
#include "core/components/schema.hpp"
#include "core/files/json_file.hpp"
#include "core/files/text_reader.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::string_view kDefaults = "profiler/presets/moe_phases.json";
constexpr std::string_view kSchema = "profiler/schema/phase_rules.schema.json";
constexpr std::array<const char*, 3> kSubjects{"names", "ranges", "operations"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return lower;
}

// As matches_pattern, for a text that is in lower case already.
bool is_in(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    const std::size_t star = std::min(pattern.find('*'), pattern.size());
    const std::size_t found = text.find(pattern.substr(0, star), at);
    if (found == std::string_view::npos) {
      return false;
    }
    at = found + star;
    pattern.remove_prefix(std::min(star + 1, pattern.size()));
  }
  return true;
}

MoePhase phase_named(std::string_view name) {
  const auto* found = std::find(kMoePhaseNames.begin(), kMoePhaseNames.end(), name);
  return static_cast<MoePhase>(found - kMoePhaseNames.begin());
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  return is_in(pattern, lower_case(text));
}

void PhaseRules::add(std::string_view text, const Location& where) {
  const json document = parse_json(text, where);
  check_schema(document, json::parse(embedded_file(kSchema)), where);
  for (const json& entry : document["rules"]) {
    Rule rule;
    rule.phase = phase_named(entry["phase"].get<std::string>());
    for (std::size_t subject = 0; subject < kSubjects.size(); ++subject) {
      if (entry.contains(kSubjects[subject])) {
        for (const json& pattern : entry[kSubjects[subject]]) {
          rule.patterns[subject].push_back(lower_case(pattern.get<std::string>()));
        }
      }
    }
    rules_.push_back(std::move(rule));
  }
}

PhaseRules PhaseRules::defaults() {
  PhaseRules rules;
  rules.add(embedded_file(kDefaults), {std::string(kDefaults), ""});
  return rules;
}

PhaseRules PhaseRules::load(const std::filesystem::path& path) {
  const Location where{path.string(), ""};
  const std::string text = read_text_file(path);
  PhaseRules rules;
  rules.add(text, where);
  if (!parse_json(text, where).value("replaces_defaults", false)) {
    rules.add(embedded_file(kDefaults), {std::string(kDefaults), ""});
  }
  return rules;
}

std::optional<MoePhase> PhaseRules::find(RuleSubject subject, std::string_view text) const {
  const std::string lower = lower_case(text);
  for (const Rule& rule : rules_) {
    const auto& patterns = rule.patterns[static_cast<std::size_t>(subject)];
    const bool is_hit = std::any_of(
        patterns.begin(), patterns.end(), [&lower](const auto& one) { return is_in(one, lower); });
    if (is_hit) {
      return rule.phase;
    }
  }
  // Whoever calls a range as this program calls the phase means the phase.
  if (subject == RuleSubject::Range) {
    const auto* const found = std::ranges::find(kMoePhaseNames, lower);
    if (found != kMoePhaseNames.end()) {
      return static_cast<MoePhase>(found - kMoePhaseNames.begin());
    }
  }
  return std::nullopt;
}

}  // namespace switchyard

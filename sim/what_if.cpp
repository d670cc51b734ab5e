#include "sim/what_if.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <thread>

#include <fmt/format.h>

#include "sim/replay/simulation.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::string name_of(const json& section) {
  return section.is_string() ? section.get<std::string>() : section.value("name", std::string());
}

bool needs_parameters(const std::vector<ParameterDescription>& parameters) {
  return std::any_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
    return parameter.default_value == "required";
  });
}

// "node3.nic12->leaf4" and "node0.nic1->leaf2" are links of one kind.
std::string kind_of_link(const std::string& name) {
  std::string kind;
  for (const char letter : name) {
    const bool is_digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
    if (!is_digit) {
      kind += letter;
    } else if (kind.empty() || kind.back() != '*') {
      kind += '*';
    }
  }
  return kind;
}

// Collects the changes to one document.
class Alternatives {
 public:
  explicit Alternatives(const Scenario& scenario)
      : document_(json::parse(scenario.resolved_json)) {}

  /// Every other component of a registry, by its defaults.
  template <class Interface>
  void add_others(const std::string& kind, const std::string& noun) {
    const auto& registry = Registry<Interface>::instance();
    for (const std::string& name : registry.names()) {
      if (name != name_of(document_[kind]) && !needs_parameters(registry.describe(name, noun))) {
        add(kind, kind + " " + name, {{kind, name}});
      }
    }
  }

  void add_algorithms() {
    const json& now = document_["all_to_all"];
    const auto& registry = Registry<AllToAll>::instance();
    for (const std::string& name : registry.names()) {
      const bool is_now = name_of(now["dispatch"]) == name && name_of(now["combine"]) == name;
      if (!is_now && !needs_parameters(registry.describe(name, "all-to-all algorithm"))) {
        add("all_to_all",
            "all-to-all " + name,
            {{"all_to_all", {{"dispatch", name}, {"combine", name}}}});
      }
    }
  }

  void add_capacities() {
    const auto& registry = Registry<CapacityPolicy>::instance();
    for (const std::string& name : registry.names()) {
      const auto parameters = registry.describe(name, "capacity policy");
      const bool has_factor =
          std::any_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
            return parameter.name == "factor";
          });
      if (needs_parameters(parameters)) {
        continue;
      }
      if (!has_factor) {
        if (name != name_of(document_["capacity"])) {
          add("capacity", "capacity " + name, {{"capacity", name}});
        }
        continue;
      }
      for (const double factor : {1.0, 1.25}) {
        const bool is_now = name == name_of(document_["capacity"]) &&
                            document_["capacity"].value("factor", 0.0) == factor;
        if (!is_now) {
          add("capacity",
              fmt::format("capacity {} {}", name, factor),
              {{"capacity", {{"name", name}, {"factor", factor}}}});
        }
      }
    }
  }

  void add_links(const SimulationResult& result) {
    if (result.total.bottleneck_link < 0) {
      return;
    }
    const std::string& busiest =
        result.links[static_cast<std::size_t>(result.total.bottleneck_link)].name;
    add_doubled("2 x " + busiest, {busiest});
    std::vector<std::string> alike;
    for (const LinkResult& link : result.links) {
      if (kind_of_link(link.name) == kind_of_link(busiest)) {
        alike.push_back(link.name);
      }
    }
    if (alike.size() > 1) {
      add_doubled(fmt::format("2 x all {} links {}", alike.size(), kind_of_link(busiest)), alike);
    }
  }

  void add_wire() {
    if (document_["wire"].value("dispatch", "") != "fp8") {
      json wire = document_["wire"];
      wire["dispatch"] = "fp8";
      add("wire", "dispatch in fp8", {{"wire", wire}});
    }
  }

  [[nodiscard]] std::vector<WhatIf> take() { return std::move(found_); }

 private:
  void add(std::string kind, std::string change, json values) {
    found_.push_back({std::move(kind), std::move(change), std::move(values)});
  }

  void add_doubled(const std::string& change, const std::vector<std::string>& links) {
    json network = document_["network"];
    if (!network["links"].is_array()) {
      network["links"] = json::array();
    }
    for (const std::string& link : links) {
      network["links"].push_back({{"link", link}, {"bandwidth_factor", 2}});
    }
    add("link", change, {{"network", std::move(network)}});
  }

  json document_;
  std::vector<WhatIf> found_;
};

SimulationResult sampled(const Scenario& scenario, std::size_t most_layers) {
  return simulate(scenario, {.most_layers = most_layers, .threads = 1});
}

WhatIfOutcome try_out(const Scenario& base, const WhatIf& what, std::size_t most_layers) {
  WhatIfOutcome outcome{.what = what};
  json document = json::parse(base.resolved_json);
  for (const auto& item : what.values.items()) {
    document[item.key()] = item.value();
  }
  try {
    const Scenario changed = load_scenario(document, {"what if " + what.change, ""}, base.routing);
    const SimulationResult result = sampled(changed, most_layers);
    if (!result.is_partial) {
      outcome.time_s = result.total.step_s;
      outcome.dropped_fraction = result.total.dropped_fraction;
    }
  } catch (const InvalidInput& error) {
    outcome.refusal = error.what();
  } catch (const MissingCapability& error) {
    outcome.refusal = error.what();
  }
  return outcome;
}

}  // namespace

std::vector<WhatIf> what_ifs(const Scenario& scenario, const SimulationResult& result) {
  Alternatives alternatives(scenario);
  alternatives.add_others<PlacementRule>("placement", "placement");
  alternatives.add_algorithms();
  alternatives.add_others<LayerSchedule>("schedule", "layer schedule");
  alternatives.add_others<Overlap>("overlap", "overlap");
  alternatives.add_capacities();
  alternatives.add_links(result);
  alternatives.add_wire();
  return alternatives.take();
}

WhatIfStudy study_what_ifs(const Scenario& scenario,
                           const SimulationResult& result,
                           const WhatIfOptions& options) {
  const std::vector<WhatIf> list = what_ifs(scenario, result);
  const SimulationResult base = sampled(scenario, options.most_layers);
  WhatIfStudy study{.base_s = base.total.step_s.value_or(0)};
  study.layers = base.layers.size();
  study.of_layers = result.layers.size();
  study.ranked.resize(list.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&](bool tells) {
    for (std::size_t i = next++; i < list.size(); i = next++) {
      study.ranked[i] = {.what = list[i]};
      if (!interrupt_requested()) {
        study.ranked[i] = try_out(scenario, list[i], options.most_layers);
      }
      if (tells && options.progress) {
        options.progress("what-ifs", static_cast<double>(i + 1) / static_cast<double>(list.size()));
      }
    }
  };
  const unsigned cores =
      options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  const unsigned threads = scenario.network->may_run_concurrently() ? std::max(1U, cores) : 1U;
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < threads && i < list.size(); ++i) {
      helpers.emplace_back(work, false);
    }
    work(true);
  }
  study.is_partial = interrupt_requested();
  for (WhatIfOutcome& outcome : study.ranked) {
    if (outcome.time_s && study.base_s > 0) {
      outcome.gain = 1 - *outcome.time_s / study.base_s;
    }
  }
  std::stable_sort(
      study.ranked.begin(), study.ranked.end(), [](const WhatIfOutcome& a, const WhatIfOutcome& b) {
        return a.time_s.has_value() != b.time_s.has_value() ? a.time_s.has_value()
                                                            : a.gain > b.gain;
      });
  return study;
}

}  // namespace switchyard

#include "cli/framework/catalogue.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/registry.hpp"
#include "kernels/router.hpp"
#include "kernels/workloads/workload.hpp"
#include "profiler/calibration/calibration_file.hpp"
#include "profiler/timeline_importer.hpp"
#include "sim/all_to_all.hpp"
#include "sim/cache_policy.hpp"
#include "sim/capacity.hpp"
#include "sim/layer_schedule.hpp"
#include "sim/model.hpp"
#include "sim/network/network.hpp"
#include "sim/offload/offload_scenario.hpp"
#include "sim/overlap.hpp"
#include "sim/placement.hpp"
#include "sim/replay/network_options.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"
#include "traces/importer.hpp"

namespace switchyard {
namespace {

template <class Interface>
CatalogueKind kind_of(const std::string& plural,
                      const std::string& noun,
                      const std::string& sentence) {
  const auto entries = [noun] {
    const auto& registry = Registry<Interface>::instance();
    std::vector<CatalogueEntry> found;
    for (const std::string& name : registry.names()) {
      found.push_back({name, registry.at(name, noun).summary});
    }
    return found;
  };
  const auto parameters = [noun](const std::string& name) {
    return Registry<Interface>::instance().describe(name, noun);
  };
  return {plural, noun, sentence, entries, parameters};
}

// A preset explains itself through `inspect`; it has no parameters of its own.
CatalogueKind topology_kind() {
  const auto entries = [] {
    std::vector<CatalogueEntry> found;
    for (const TopologyPreset& preset : topology_presets()) {
      found.push_back({preset.name, preset.description});
    }
    return found;
  };
  return {"topologies", "topology", "clusters ready to use", entries, [](const std::string&) {
            return std::vector<ParameterDescription>();
          }};
}

// All networks share the realism terms of the scenario's "network" section.
CatalogueKind network_kind() {
  CatalogueKind kind = kind_of<Network>("networks", "network", "ways to time the transfers");
  kind.parameters = [own = kind.parameters](const std::string& name) {
    auto descriptions = own(name);
    Parameters shared = Parameters::describing();
    (void)read_network_options(shared);
    descriptions.insert(
        descriptions.end(), shared.descriptions().begin(), shared.descriptions().end());
    return descriptions;
  };
  return kind;
}

// Sections of an offload document, which are no components: each reader documents itself.
CatalogueKind offload_kind() {
  struct Section {
    const char* name;
    const char* summary;
    std::function<void(Parameters&)> read;
  };

  static const std::vector<Section> kSections{
      {"memory",
       "GPUs, their caches, links to host memory and SSD",
       [](Parameters& parameters) { (void)read_memory(parameters); }},
      {"precision",
       "bytes of an expert: HOBBIT's two precisions, MC-MoE's bit widths",
       [](Parameters& parameters) { (void)read_precision(parameters); }},
      {"prefetch",
       "what is fetched before it is needed",
       [](Parameters& parameters) { (void)read_prefetch(parameters, 0); }},
      {"batching",
       "which tokens go together",
       [](Parameters& parameters) { (void)read_batching(parameters); }},
      {"cpu", "experts computed where they are", [](Parameters& parameters) {
         (void)read_cpu(parameters);
       }}};
  const auto entries = [] {
    std::vector<CatalogueEntry> found;
    found.reserve(kSections.size());
    for (const Section& section : kSections) {
      found.push_back({section.name, section.summary});
    }
    return found;
  };
  const auto parameters = [](const std::string& name) {
    Parameters describing = Parameters::describing();
    for (const Section& section : kSections) {
      if (name == section.name) {
        section.read(describing);
      }
    }
    return describing.descriptions();
  };
  return {"offload", "offload section", "sections of switchyard offload", entries, parameters};
}

// Presets of sim/: each explains itself by its figures.
CatalogueKind preset_kind(const std::string& plural,
                          const std::string& noun,
                          const std::string& sentence) {
  const auto entries = [plural, noun] {
    std::vector<CatalogueEntry> found;
    for (const std::string& name : preset_names(plural)) {
      found.push_back({name, preset_document(plural, name, {}).value("description", noun)});
    }
    return found;
  };
  return {plural, noun, sentence, entries, [](const std::string&) {
            return std::vector<ParameterDescription>();
          }};
}

// Fitted constants: what they are of, and how good.
CatalogueKind calibration_kind() {
  const auto entries = [] {
    std::vector<CatalogueEntry> found;
    for (const std::string& name : calibration_presets()) {
      const Calibration calibration = load_calibration(name);
      std::string errors;
      for (const CalibrationEntry& entry : calibration.entries) {
        const ErrorSummary& expected = entry.accuracy.expected();
        errors += fmt::format("{}{} {:.1f} %, 95 % within {:.1f} % ({} rows)",
                              errors.empty() ? "" : "; ",
                              entry.direction == "any" ? "median error" : entry.direction,
                              100 * expected.median,
                              100 * expected.p95,
                              expected.rows);
      }
      const CalibrationEntry& first = calibration.entries.front();
      found.push_back(
          {name,
           fmt::format(
               "{} ({}) on {}: {}", first.algorithm, first.hardware, first.machine, errors)});
    }
    return found;
  };
  return {"calibrations",
          "calibration",
          "constants of kernels fitted to published measurements, and their errors",
          entries,
          [](const std::string&) { return std::vector<ParameterDescription>(); }};
}

}  // namespace

const std::vector<CatalogueKind>& catalogue() {
  static const std::vector<CatalogueKind> kKinds{
      kind_of<Workload>("workloads", "workload", "sources of hidden states for route"),
      kind_of<Router>("routers", "router", "rules that choose the experts of a token"),
      kind_of<Importer>("importers", "importer", "foreign routing files that can be read"),
      kind_of<TimelineImporter>("profiles", "profile", "what a profiler wrote and can be read"),
      topology_kind(),
      kind_of<TopologyGenerator>(
          "generators", "topology generator", "rules that make a cluster from a few numbers"),
      kind_of<TopologyFormat>("formats", "topology format", "foreign descriptions of clusters"),
      preset_kind("models", "model", "sizes of MoE layers"),
      preset_kind("devices", "device", "GPUs and their rates"),
      calibration_kind(),
      kind_of<PlacementRule>("placements", "placement", "which rank holds which expert"),
      kind_of<CapacityPolicy>(
          "capacities", "capacity policy", "what happens to the tokens of a full expert"),
      kind_of<AllToAll>(
          "all_to_all", "all-to-all algorithm", "orders of the transfers of an exchange"),
      kind_of<LayerSchedule>("schedules", "layer schedule", "what happens in a layer"),
      kind_of<Overlap>("overlaps", "overlap", "what of a layer runs at once"),
      network_kind(),
      kind_of<CachePolicy>(
          "cache_policies", "cache policy", "which expert leaves a full cache (offload)"),
      offload_kind(),
  };
  return kKinds;
}

const CatalogueKind& catalogue_kind(const std::string& plural) {
  std::vector<std::string> known;
  for (const CatalogueKind& kind : catalogue()) {
    if (kind.plural == plural || kind.noun == plural) {
      return kind;
    }
    known.push_back(kind.plural);
  }
  throw InvalidInput(
      "nothing to list is called \"" + plural + "\"", {}, suggestion_hint(plural, known));
}

std::vector<std::string> catalogue_names(const std::string& plural) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue_kind(plural).entries()) {
    names.push_back(entry.name);
  }
  return names;
}

Values names_of(const std::string& plural) {
  return Values::among([plural] { return catalogue_names(plural); });
}

}  // namespace switchyard

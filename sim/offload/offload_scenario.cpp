#include "sim/offload/offload_scenario.hpp"

#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "core/components/embedded.hpp"
#include "core/components/schema.hpp"
#include "core/files/json_file.hpp"
#include "sim/offload/tier_links.hpp"
#include "sim/replay/component_section.hpp"
#include "topologies/topology_file.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr const char* kOffloadSchema = "sim/schema/offload.schema.json";

class Loader {
 public:
  Loader(const json& document, Location where)
      : where_(std::move(where)), document_(default_offload_document()) {
    check_schema(document, parse_json(embedded_file(kOffloadSchema), {kOffloadSchema, ""}), where_);
    document_.update(document);
  }

  OffloadScenario load(std::shared_ptr<const RoutingData> routing, const Progress& progress) {
    open_trace(std::move(routing));
    json resolved;
    scenario_.model =
        read_model(document_["model"], scenario_.trace->metadata().model, at("model"), resolved);
    document_["model"] = resolved;
    read_compute();
    scenario_.precision = section("precision", read_precision);
    scenario_.batch = section("batching", read_batching);
    scenario_.batch.free_experts = static_cast<std::size_t>(scenario_.model.zero_cost_experts);
    scenario_.memory = section("memory", read_memory);
    read_links();
    scenario_.stream =
        read_accesses(*scenario_.trace, scenario_.batch, scenario_.precision.rule, progress);
    scenario_.bytes = expert_bytes(
        scenario_.precision, scenario_.model, *scenario_.trace, scenario_.stream, at("precision"));
    build_setup();
    scenario_.resolved_json = document_.dump();
    scenario_.hash = fmt::format(
        "{:016x}", XXH3_64bits(scenario_.resolved_json.data(), scenario_.resolved_json.size()));
    return std::move(scenario_);
  }

 private:
  [[nodiscard]] Location at(const std::string& key) const { return where_.child(key); }

  // Reads a section with `read` and puts back what it resolved to.
  template <class Read>
  std::invoke_result_t<Read, Parameters&> section(const std::string& key, const Read& read) {
    Parameters parameters(document_[key], at(key));
    auto answer = read(parameters);
    parameters.finish();
    document_[key] = parameters.resolved();
    return answer;
  }

  void open_trace(std::shared_ptr<const RoutingData> routing) {
    const json& trace = document_["trace"];
    if (!routing) {
      if (!trace.is_string() || trace.get<std::string>().empty()) {
        throw InvalidInput("no trace is named",
                           at("trace"),
                           "pass --trace FILE (make one with switchyard route or import)");
      }
      routing = std::make_shared<const RoutingData>(open_routing(trace.get<std::string>()));
    }
    require_fidelity(fidelity_of(*routing), Fidelity::Ids, "an expert cache");
    scenario_.trace = {routing, &std::get<RoutingTrace>(*routing)};
  }

  void read_compute() {
    Parameters parameters(document_["compute"], at("compute"));
    scenario_.setup.other_per_layer = parameters.get_duration(
        "other_per_layer", Seconds{0}, "attention, norms, router: once per pass and layer");
    scenario_.device = read_device(parameters, scenario_.model.dtype);
    document_["compute"] = parameters.resolved();
  }

  // What the memory section leaves open: the topology says it, else the device's preset.
  void read_links() {
    MemoryTier& tier = scenario_.memory.tier;
    const json& topology = document_["topology"];
    if (!topology.is_null()) {
      const Fabric fabric = topology.is_string() ? load_topology(topology.get<std::string>())
                                                 : fabric_from_json(topology, at("topology"));
      const MemoryTier found = tier_of(fabric, at("topology"));
      if (tier.gpus > found.gpus) {
        throw InvalidInput(
            fmt::format("{} GPUs, but a node of {} has {}", tier.gpus, fabric.name(), found.gpus),
            at("memory").child("gpus"),
            "choose no more than a node has: experts are cached node by node");
      }
      if (!tier.host.exists() && found.host.exists()) {
        tier.host = found.host;
        tier.gpus_per_link = found.gpus_per_link;
      }
      if (!tier.ssd.exists()) {
        tier.ssd = found.ssd;
      }
    } else if (!tier.host.exists() && !document_["memory"]["unified"].get<bool>()) {
      tier.host.bandwidth = scenario_.device.host_link;
    }
    if (!tier.host.exists() && !tier.ssd.exists()) {
      throw InvalidInput(
          fmt::format("the preset of {} names no link to host memory", scenario_.device.name),
          at("memory").child("host_link"),
          "set memory.host_link, such as 32GBps, or memory.unified with memory.ssd_link");
    }
  }

  void build_setup() {
    OffloadSetup& setup = scenario_.setup;
    setup.policy = build_component<CachePolicy>(document_["policy"], "cache policy", at("policy"));
    setup.tier = scenario_.memory.tier;
    setup.high_bytes = scenario_.bytes.high;
    setup.low_bytes = scenario_.bytes.low;
    setup.is_quantised = scenario_.precision.average_bits > 0;
    setup.prefetch = section("prefetch", [&](Parameters& parameters) {
      return read_prefetch(parameters, scenario_.stream.layers);
    });
    // Read-ME's router decides before the first layer.
    const bool is_pre_gated = scenario_.trace->metadata().is_pre_gated;
    if (document_["prefetch"]["known_ahead"].get<std::int64_t>() < 0 && is_pre_gated) {
      setup.prefetch.known_ahead = scenario_.stream.layers;
    }
    const CpuChoice cpu = section("cpu", read_cpu);
    setup.miss = cpu.miss;
    setup.time = expert_time(cpu);
    setup.seed = document_["seed"].get<std::uint64_t>();
    const auto layers = static_cast<std::int64_t>(scenario_.stream.layers);
    scenario_.shared_bytes = layers * expert_size(scenario_.model).shared_bytes;
    setup.cache = cache_sizes(scenario_, at("memory"), scenario_.slots);
  }

  [[nodiscard]] ExpertTime expert_time(const CpuChoice& cpu) const {
    const ModelCost& model = scenario_.model;
    const ComputeDevice& device = scenario_.device;
    const ExpertSize size = expert_size(model);
    const auto element = static_cast<double>(element_bytes(model.dtype, {}));
    const BytesPerSecond expand = scenario_.precision.expand_rate;
    return {
        .flops_per_row = size.flops_per_row,
        .rebuild_flops = size.rebuild_flops,
        .flops_rate = device.peak.value * device.routed.compute_efficiency,
        .byte_rate = device.memory_bandwidth.value * device.routed.memory_efficiency,
        .row_bytes = 2 * element * static_cast<double>(model.hidden),
        .launch_s = device.expert_launch.count(),
        .expand_s = expand.value > 0 ? static_cast<double>(size.private_bytes) / expand.value : 0,
        .cpu_first_s = cpu.expert_time.count(),
        .cpu_row_s = cpu.row_time.count()};
  }

  Location where_;
  json document_;
  OffloadScenario scenario_;
};

}  // namespace

json default_offload_document() {
  return {{"format_version", 1},
          {"trace", ""},
          {"topology", nullptr},
          {"model", json::object()},
          {"compute", json::object()},
          {"memory", json::object()},
          {"policy", "lru"},
          {"precision", json::object()},
          {"prefetch", json::object()},
          {"batching", json::object()},
          {"cpu", json::object()},
          {"seed", 0U}};
}

OffloadScenario load_offload(const json& document,
                             const Location& where,
                             std::shared_ptr<const RoutingData> routing,
                             const Progress& progress) {
  return Loader(document, where).load(std::move(routing), progress);
}

}  // namespace switchyard

// `route`: hidden states through a gate and a router into a trace. The states are generated, or the
// user's own tensors.
#include <array>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/catalogue.hpp"
#include "cli/framework/command.hpp"
#include "cli/route_profile.hpp"
#include "core/files/atomic_file.hpp"
#include "kernels/device/cuda_device.hpp"
#include "kernels/route_workload.hpp"
#include "report/terminal.hpp"
#include "sim/model.hpp"
#include "sim/replay/scenario.hpp"
#include "traces/files/trace_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct NamedProjection {
  const char* name;
  ProjectionKind kind;
};

constexpr std::array<NamedProjection, 4> kProjections{
    {{"fast", ProjectionKind::Fast},
     {"ordered", ProjectionKind::Ordered},
     {"cuda", ProjectionKind::OrderedOnDevice},
     {"cuda_bf16", ProjectionKind::Bfloat16OnDevice}}};
constexpr std::array<const char*, 5> kSizes{"experts", "tokens", "ranks", "layers", "steps"};

json default_document() {
  return {{"workload", {{"name", "latent_clusters"}}}, {"router", {{"name", "top_k"}}}};
}

void apply_model(json& document, const std::string& name) {
  const json model = preset_document("models", name, {"--model", ""});
  for (const char* key : {"hidden", "experts", "layers"}) {
    document["workload"][key] = model.at(key);
  }
  document["router"]["k"] = model.at("top_k");
  document["dtype"] = model.at("dtype");
}

void apply_tensors(json& document, const ParsedOptions& options) {
  const auto hidden = options.text("hidden");
  const auto gate = options.text("gate");
  if (!hidden && !gate) {
    return;
  }
  if (!hidden || !gate) {
    throw InvalidInput("go together", {"--hidden and --gate", ""}, "give both files");
  }
  if (options.has("model")) {
    throw InvalidInput("the tensors already have sizes", {"--model", ""}, "leave it out");
  }
  document["workload"] = {{"name", "tensors"}, {"hidden", *hidden}, {"gate", *gate}};
}

/// The preset's name if the trace gets its sizes; nothing where settings changed them.
std::string model_of(const json& document, std::size_t top_k, const ParsedOptions& options) {
  const std::string name = options.text_or("model", "");
  if (name.empty()) {
    return "";
  }
  const json model = preset_document("models", name, {"--model", ""});
  const json& workload = document["workload"];
  const bool has_sizes = model.at("hidden") == workload["hidden"] &&
                         model.at("experts") == workload["experts"] && model.at("top_k") == top_k;
  return has_sizes ? name : "";
}

json route_document(const ParsedOptions& options) {
  json document = default_document();
  if (const auto model = options.text("model")) {
    apply_model(document, *model);
  }
  apply_tensors(document, options);
  if (const auto router = options.text("router")) {
    document["router"]["name"] = *router;
  }
  for (const char* size : kSizes) {
    if (const auto number = options.integer(size, {1, std::int64_t{1} << 32U})) {
      document["workload"][size] = *number;
    }
  }
  if (const auto seed = seed_of(options)) {
    document["seed"] = *seed;
    if (document["workload"]["name"] == "latent_clusters") {
      document["workload"]["seed"] = *seed;
    }
  }
  for (const std::string& setting : options.texts("set")) {
    apply_setting(document, setting);
  }
  for (const auto& item : document.items()) {
    const std::string& key = item.key();
    if (key != "workload" && key != "router" && key != "seed" && key != "dtype") {
      throw InvalidInput("no such setting",
                         {"--set " + key, ""},
                         "write workload.NAME=VALUE or router.NAME=VALUE");
    }
  }
  return document;
}

ProjectionKind projection_called(const std::string& name) {
  for (const NamedProjection& projection : kProjections) {
    if (name == projection.name) {
      if (projection.kind == ProjectionKind::OrderedOnDevice ||
          projection.kind == ProjectionKind::Bfloat16OnDevice) {
        require_cuda_device();
      }
      return projection.kind;
    }
  }
  throw InvalidInput("no projection is called \"" + name + "\"",
                     {"--projection", ""},
                     "one of fast, ordered, cuda, cuda_bf16");
}

std::string shown(const std::optional<double>& similarity) {
  return similarity ? fmt::format("{:.3f}", *similarity) : "-";
}

template <class Interface>
struct Built {
  std::string name;
  std::unique_ptr<Interface> component;
  json resolved;
};

template <class Interface>
Built<Interface> build(json section, const std::string& noun) {
  if (section.is_string()) {
    section = {{"name", section}};
  }
  const Location where{noun, ""};
  if (!section.is_object() || !section.contains("name") || !section["name"].is_string()) {
    throw InvalidInput("has no name", where);
  }
  const auto name = section["name"].get<std::string>();
  section.erase("name");
  Parameters parameters(section, where);
  auto component = Registry<Interface>::instance().create(name, noun, parameters);
  return {name, std::move(component), parameters.resolved()};
}

class RouteCommand final : public Command {
 public:
  [[nodiscard]] std::string usage() const override { return "-o FILE [OPTIONS]"; }

  [[nodiscard]] std::vector<std::string> examples() const override {
    return {"switchyard route --model deepseek_v2_lite --ranks 16 --tokens 512 -o my.trace",
            "switchyard route --hidden x.safetensors --gate w.safetensors --set router.k=8 -o "
            "my.trace"};
  }

  void declare(OptionTable& table) const override {
    table.value("router", "NAME", "how experts are chosen", names_of("routers"))
        .value("model", "NAME", "take hidden, experts, layers and k from it", names_of("models"))
        .value("experts", "N", "experts per layer")
        .value("tokens", "N", "tokens per rank and step")
        .value("ranks", "N", "source ranks")
        .value("layers", "N", "MoE layers")
        .value("steps", "N", "forward passes")
        .value("hidden", "FILE", "your hidden states (safetensors)", Values::path())
        .value("gate", "FILE", "your gate weights (safetensors)", Values::path())
        .value("projection",
               "HOW",
               "how logits are made: fast; ordered, the same bits on every machine; cuda, those "
               "bits from a GPU; cuda_bf16, tensor cores",
               Values::among([] {
                 std::vector<std::string> names;
                 for (const NamedProjection& projection : kProjections) {
                   names.emplace_back(projection.name);
                 }
                 return names;
               }))
        .flag("logits", "also record logits, so that other routers can be replayed")
        .flag("no-token-ids", "leave out token and sequence ids: a smaller file")
        .value("profile",
               "FILE",
               "record the router's GPU kernels (router.executor=cuda) into this timeline",
               Values::path())
        .flag("counters", "with --profile: hardware counters too; routes again for each pass")
        .list("set",
              "PATH=VALUE",
              "any parameter: --set router.k=8 --set workload.zipf=1.2 (switchyard list "
              "workloads latent_clusters)");
    declare_seed(table);
    declare_output(table, "the trace to write");
    declare_json(table);
    declare_quiet(table);
  }

  [[nodiscard]] ExitCode run(const ParsedOptions& options) const override {
    const std::string target = options.required("output", "say where to write: -o FILE");
    if (target == "-") {
      throw InvalidInput("a trace is binary and large: it cannot go to standard output",
                         {"--output", ""},
                         "name a file");
    }
    check_writable(target, options.has("force"));
    const auto timeline = options.text("profile");
    if (timeline) {
      check_writable(*timeline, options.has("force"));
    } else if (options.has("counters")) {
      throw InvalidInput("goes with --profile FILE", {"--counters", ""});
    }
    const json document = route_document(options);
    const auto workload = build<Workload>(document["workload"], "workload");
    const auto router = build<Router>(document["router"], "router");
    RouteRequest request{.workload = *workload.component, .router = *router.component};
    request.router_name = router.name;
    nlohmann::json parameters = router.resolved;
    parameters.erase("executor");  // where it ran changes no bit, so it is no part of the trace
    request.router_parameters = parameters.dump();
    request.seed = document.value("seed", request.seed);
    request.dtype = document.value("dtype", request.dtype);
    request.model_name = model_of(document, router.component->top_k(), options);
    request.keeps_logits = options.has("logits");
    request.keeps_token_ids = !options.has("no-token-ids");
    request.projection = projection_called(options.text("projection").value_or("fast"));
    Similarities similarities;
    const auto route = [&] {
      ProgressBar bar(options.has("quiet"));
      similarities = route_workload_to_file(request, target, options.has("force"), bar.callback());
    };
    std::string kernel_text;
    if (timeline) {
      RouteProfileRequest profile{.route = route, .target = *timeline};
      if (options.has("counters")) {
        profile.route_again = [&] { route_workload(request); };
      }
      kernel_text = profiled(profile, router, workload, options);
    } else {
      route();
    }
    tell(options,
         {workload.component->shape(),
          router.name,
          router.component->top_k(),
          similarities,
          target});
    if (!kernel_text.empty() && !options.has("quiet") && !options.has("json")) {
      print_text(kernel_text);
    }
    return ExitCode::Ok;
  }

 private:
  static std::string profiled(RouteProfileRequest& request,
                              const Built<Router>& router,
                              const Built<Workload>& workload,
                              const ParsedOptions& options) {
    if (router.resolved.value("executor", "cpu") == "cpu") {
      throw InvalidInput("the router runs on the CPU, where CUPTI sees nothing",
                         {"--profile", ""},
                         "a router with a CUDA form on the GPU: --router top_k --set "
                         "router.executor=cuda");
    }
    require_route_profiling();
    if (router.name == "top_k") {
      // A launch routes the tokens of one rank at one layer, where the workload makes them all
      // equal.
      request.launch = {.tokens = workload.resolved.value("tokens", std::int64_t{0}),
                        .experts = static_cast<std::int64_t>(workload.component->shape().experts),
                        .slots = static_cast<std::int64_t>(router.component->top_k())};
    }
    request.is_renormalised = router.resolved.value("renormalise", true);
    request.overwrite = options.has("force");
    return fmt::format(
        "timeline: {}\n{}", request.target.string(), text_of(profile_route(request)));
  }

  struct Outcome {
    WorkloadShape shape;
    std::string router;
    std::size_t top_k = 0;
    Similarities similarities;
    std::string target;
  };

  static void tell(const ParsedOptions& options, const Outcome& outcome) {
    const WorkloadShape& shape = outcome.shape;
    const Similarities& similar = outcome.similarities;
    if (options.has("json")) {
      ordered_json document{{"router", outcome.router},
                            {"top_k", outcome.top_k},
                            {"experts", shape.experts},
                            {"layers", shape.layers},
                            {"steps", shape.steps},
                            {"ranks", shape.ranks},
                            {"gate_similarity", nullptr},
                            {"routed_similarity", nullptr},
                            {"output", outcome.target}};
      if (similar.gate) {
        document["gate_similarity"] = *similar.gate;
      }
      if (similar.routed) {
        document["routed_similarity"] = *similar.routed;
      }
      print_text(document.dump(2) + "\n");
    } else if (!options.has("quiet")) {
      print_text(
          fmt::format("{} experts, top {} ({}), {} layers, {} steps, {} ranks\n"
                      "similarity of experts: gate rows {}, routed tokens {} (mean cosine)\n"
                      "written: {}\n",
                      shape.experts,
                      outcome.top_k,
                      outcome.router,
                      shape.layers,
                      shape.steps,
                      shape.ranks,
                      shown(similar.gate),
                      shown(similar.routed),
                      outcome.target));
    }
  }
};

const RegisterCommand<RouteCommand> kRoute{"route", "make a routing trace from hidden states"};

}  // namespace
}  // namespace switchyard

// Routing files as `inspect` shows them.
#include <algorithm>

#include <fmt/format.h>

#include "cli/inspection.hpp"
#include "report/text_table.hpp"
#include "traces/summary.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kFullLayerTable = 40;
constexpr std::size_t kShortLayerTable = 20;

std::string layer_table(std::vector<LayerSummary> layers, bool all_layers) {
  const std::size_t total = layers.size();
  const bool is_cut = !all_layers && total > kFullLayerTable;
  if (is_cut) {
    std::stable_sort(layers.begin(), layers.end(), [](const auto& left, const auto& right) {
      return left.imbalance > right.imbalance;
    });
    layers.resize(kShortLayerTable);
  }
  TextTable table({{"layer"},
                   {"selections"},
                   {"imbalance"},
                   {"Gini"},
                   {"entropy"},
                   {"hottest expert"},
                   {"idle experts"}});
  for (const LayerSummary& layer : layers) {
    table.add({fmt::format("{}", layer.layer),
               fmt::format("{}", layer.selections),
               fmt::format("{:.2f} x", layer.imbalance),
               fmt::format("{:.3f}", layer.gini),
               fmt::format("{:.3f}", layer.normalised_entropy),
               fmt::format("{}", layer.hottest_expert),
               fmt::format("{}", layer.idle_experts)});
  }
  const std::string title =
      is_cut
          ? fmt::format("the {} least balanced of {} layers (all: -v)\n", kShortLayerTable, total)
          : "load of the experts by layer (imbalance = max / mean)\n";
  return title + table.text();
}

std::string_view fidelity_sentence(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::Counts:
      return "counts per expert, no source ranks";
    case Fidelity::CountsPerRank:
      return "counts per source rank and expert";
    case Fidelity::Ids:
      return "expert ids per token";
    default:
      return "expert ids and weights or logits per token";
  }
}

std::string rank_sentence(const RoutingSummary& summary, bool is_trace) {
  if (summary.source_ranks == 0) {
    return is_trace ? "none recorded (simulate with --assign-ranks)" : "none recorded";
  }
  const std::string& rule = summary.metadata.rank_assignment;
  return fmt::format(
      "{}, {}", summary.source_ranks, rule.empty() ? "recorded" : "by rule: " + rule);
}

std::string shape_sentence(const RoutingSummary& summary) {
  const ModelShape& model = summary.metadata.model;
  std::string text = fmt::format("{} experts", model.experts);
  text += model.top_k > 0 ? fmt::format(", top {}", model.top_k) : "";
  text += fmt::format(", {} MoE layers", summary.layers.size());
  return text + fmt::format(", {} step{}", summary.steps, summary.steps == 1 ? "" : "s");
}

class Facts {
 public:
  void add(const std::string& label, const std::string& value) {
    if (!value.empty()) {
      text_ += fmt::format("  {:<14}{}\n", label, value);
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string facts_text(const RoutingSummary& summary, bool is_trace) {
  Facts facts;
  facts.add("kind", is_trace ? "routing trace" : "expert counts");
  facts.add(
      "level",
      fmt::format("{}: {}", fidelity_name(summary.fidelity), fidelity_sentence(summary.fidelity)));
  facts.add("shape", shape_sentence(summary));
  const ModelShape& model = summary.metadata.model;
  if (model.hidden > 0) {
    facts.add("model",
              fmt::format("{}hidden {} {}",
                          model.name.empty() ? "" : model.name + ", ",
                          model.hidden,
                          model.dtype));
  }
  if (is_trace) {
    facts.add("rows", fmt::format("{} (token, layer) pairs", summary.rows));
    facts.add("columns", fmt::format("{}", fmt::join(summary.columns, ", ")));
  }
  if (summary.empty_choices > 0) {
    facts.add("empty choices", fmt::format("{}", summary.empty_choices));
  }
  facts.add("source ranks", rank_sentence(summary, is_trace));
  facts.add("router", summary.metadata.router);
  if (summary.metadata.gate_similarity) {
    facts.add("gate rows", fmt::format("mean cosine {:.3f}", *summary.metadata.gate_similarity));
  }
  if (summary.metadata.passes > 1) {
    facts.add("passes", fmt::format("{} of each token", summary.metadata.passes));
  }
  if (summary.metadata.merges_experts) {
    facts.add("experts", "merged by their weights; tokens stay where they are");
  }
  if (summary.metadata.is_pre_gated) {
    facts.add("decided", "before the first layer, for all of them");
  }
  if (summary.metadata.router_allreduce_bytes > 0) {
    facts.add("router needs",
              fmt::format("an allreduce of {} bytes a layer, from layer {} on",
                          summary.metadata.router_allreduce_bytes,
                          summary.metadata.router_allreduce_first_layer));
  }
  facts.add("provenance", summary.metadata.provenance);
  return facts.text();
}

}  // namespace

Inspection inspect_routing(const RoutingData& routing, bool all_layers) {
  const RoutingSummary summary = summarise(routing);
  const TraceMetadata& metadata = summary.metadata;
  const bool is_trace = std::holds_alternative<RoutingTrace>(routing);
  ordered_json document{{"kind", is_trace ? "trace" : "counts"},
                        {"fidelity", fidelity_name(summary.fidelity)},
                        {"experts", metadata.model.experts},
                        {"top_k", metadata.model.top_k},
                        {"hidden", metadata.model.hidden},
                        {"dtype", metadata.model.dtype},
                        {"steps", summary.steps},
                        {"rows", summary.rows},
                        {"empty_choices", summary.empty_choices},
                        {"columns", summary.columns},
                        {"source_ranks", summary.source_ranks},
                        {"rank_assignment", metadata.rank_assignment},
                        {"router", metadata.router},
                        {"seed", metadata.seed},
                        {"provenance", metadata.provenance}};
  document["layers"] = ordered_json::array();
  for (const LayerSummary& layer : summary.layers) {
    document["layers"].push_back({{"layer", layer.layer},
                                  {"selections", layer.selections},
                                  {"expert_imbalance", layer.imbalance},
                                  {"coefficient_of_variation", layer.coefficient_of_variation},
                                  {"gini", layer.gini},
                                  {"normalised_entropy", layer.normalised_entropy},
                                  {"hottest_expert", layer.hottest_expert},
                                  {"idle_experts", layer.idle_experts}});
  }
  return {std::move(document),
          facts_text(summary, is_trace) + "\n" + layer_table(summary.layers, all_layers)};
}

}  // namespace switchyard

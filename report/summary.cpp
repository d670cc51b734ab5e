#include "report/summary.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/numbers/units.hpp"
#include "report/layer_table.hpp"
#include "report/metrics.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kLinkWidth = 32;

std::string time_text(double seconds) {
  return format_quantity(Seconds{seconds});
}

std::string time_text(const std::optional<double>& seconds) {
  return seconds ? time_text(*seconds) : "-";
}

std::string bytes_text(double bytes) {
  return format_quantity(Bytes{static_cast<std::int64_t>(bytes)});
}

std::string counted(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// Lines of "  label            value       detail".
class Facts {
 public:
  explicit Facts(const TextStyle& style) : style_(style) {}

  void add(const std::string& label, const std::string& value, const std::string& detail) {
    const std::string line =
        fmt::format("  {:<17}{}  {}", label, style_.bold(padded(value)), detail);
    text_ += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string padded(const std::string& value) { return fmt::format("{:<8}", value); }

  TextStyle style_;
  std::string text_;
};

// "a · b · c", broken before the part that would not fit.
std::string joined(const std::vector<std::string>& parts) {
  static const std::string kDot = " · ";
  std::string text;
  std::size_t column = 0;
  for (const std::string& part : parts) {
    const bool fits = column + kDot.size() + part.size() <= kWidth;
    if (column > 0) {
      text += fits ? kDot : "\n";
    }
    column = (fits ? column + kDot.size() : 0) + part.size();
    text += part;
  }
  return text + "\n";
}

// Name of a component in the resolved scenario: a text, or the "name" of an object.
std::string component_name(const nlohmann::json& section) {
  if (section.is_string()) {
    return section.get<std::string>();
  }
  const bool has_name = section.is_object() && section.contains("name");
  return has_name && section["name"].is_string() ? section["name"].get<std::string>() : "";
}

// The choices behind the figures, as far as the scenario names them.
std::vector<std::string> choices(const SimulationResult& result) {
  const auto scenario = nlohmann::json::parse(result.scenario_json, nullptr, false);
  std::vector<std::string> parts;
  const auto add = [&](const std::string& label, const std::string& value) {
    if (!value.empty()) {
      parts.push_back(label + " " + value);
    }
  };
  if (scenario.is_object()) {
    const auto exchange = scenario.value("all_to_all", nlohmann::json::object());
    if (exchange.is_object()) {
      const auto dispatch = component_name(exchange.value("dispatch", nlohmann::json()));
      const auto combine = component_name(exchange.value("combine", nlohmann::json()));
      add("all-to-all", dispatch == combine ? dispatch : dispatch + "/" + combine);
    }
    const auto named = [&](const char* label, const char* key, const char* usual) {
      const std::string name = component_name(scenario.value(key, nlohmann::json()));
      add(label, name == usual ? "" : name);
    };
    named("schedule", "schedule", "two_all_to_all");
    named("overlap", "overlap", "none");
    named("pass", "pass", "forward");
    add("placement", component_name(scenario.value("placement", nlohmann::json())));
    add("capacity", component_name(scenario.value("capacity", nlohmann::json())));
  }
  add("network",
      result.network_mode.empty() || result.network_mode == "closed form"
          ? result.network
          : fmt::format("{} ({})", result.network, result.network_mode));
  return parts;
}

std::string headline(const SimulationResult& result) {
  const auto layers = static_cast<std::size_t>(result.total.layers);
  const auto steps = static_cast<std::size_t>(result.total.steps);
  std::string experts = counted(result.experts, "expert");
  experts += result.top_k > 0 ? fmt::format(", top {}", result.top_k) : "";
  std::string layer_text = counted(layers, "layer");
  if (steps > 1) {
    layer_text += fmt::format(" in {}", counted(steps, "step"));
  }
  return joined({fmt::format("{} on {} of {}",
                             counted(result.ranks, "GPU"),
                             counted(result.nodes, "node"),
                             result.topology)}) +
         joined({experts,
                 layer_text,
                 fmt::format("trace level {}", fidelity_name(result.fidelity)),
                 fmt::format("seed {}", result.seed)}) +
         joined(choices(result));
}

std::string layer_label(const SimulationResult& result, const LayerResult& layer) {
  return result.total.steps > 1 ? fmt::format("step {}, layer {}", layer.step, layer.layer)
                                : fmt::format("layer {}", layer.layer);
}

// The layer in which a quantity peaks; result.layers is not empty.
const LayerResult& worst_by(const SimulationResult& result, double LayerResult::*quantity) {
  return *std::max_element(result.layers.begin(),
                           result.layers.end(),
                           [&](const LayerResult& left, const LayerResult& right) {
                             return left.*quantity < right.*quantity;
                           });
}

void add_times(const SimulationResult& result, Facts& facts) {
  const TotalResult& total = result.total;
  if (!total.step_s || !total.dispatch_s || !total.combine_s) {
    facts.add("step time",
              "unknown",
              fmt::format("a level {} trace does not say which bytes move",
                          fidelity_name(result.fidelity)));
    facts.add("expert compute", time_text(total.compute_s), "slowest rank of every layer");
    return;
  }
  const auto per_step = [&](double sum) {
    return time_text(sum / static_cast<double>(std::max<std::int64_t>(total.steps, 1)));
  };
  facts.add("step time",
            time_text(total.step_s),
            fmt::format("dispatch {}, compute {}, combine {}",
                        per_step(*total.dispatch_s),
                        per_step(total.compute_s),
                        per_step(*total.combine_s)));
  if (total.collective_s) {
    facts.add("collectives", per_step(*total.collective_s), "of a step, beside the exchanges");
  }
  if (total.steps > 1) {
    facts.add("whole run",
              time_text(total.layer_s),
              fmt::format("{} steps; a step's times are means", total.steps));
  }
  if (total.exposed_communication_s && total.layer_s && *total.layer_s > 0) {
    facts.add("exposed comm.",
              time_text(total.exposed_communication_s),
              fmt::format("{:.0f} % of the step is not covered by expert compute",
                          100 * *total.exposed_communication_s / *total.layer_s));
  }
  if (total.lower_bound_s) {
    const double exchanged = *total.dispatch_s + *total.combine_s;
    facts.add("lower bound",
              time_text(total.lower_bound_s),
              *total.lower_bound_s > 0
                  ? fmt::format("of dispatch + combine, which take {:.2f} x that",
                                exchanged / *total.lower_bound_s)
                  : "");
  }
}

void add_step_exchanges(const SimulationResult& result, Facts& facts) {
  for (const StepExchange& exchange : result.total.step_exchanges) {
    facts.add(exchange.name,
              time_text(exchange.exposed_s),
              fmt::format("of the step; {} once, bound by {}",
                          time_text(exchange.time_s),
                          bound_name(exchange.bound)));
  }
  if (result.total.pipeline_bubble > 0) {
    facts.add("pipeline bubble",
              fmt::format("{:.1f} %", 100 * result.total.pipeline_bubble),
              "of the step, in which a stage has nothing to do");
  }
}

// "dispatch link, experts memory", as many lines as needed.
void add_bounds(const SimulationResult& result, Facts& facts) {
  constexpr std::size_t kDetailWidth = 52;
  std::string line;
  std::string label = "bound by";
  for (const PhaseSum& phase : phase_sums(result)) {
    if (phase.time_s <= 0) {
      continue;
    }
    const std::string part = fmt::format("{} {}", phase.name, bound_name(phase.bound()));
    if (!line.empty() && line.size() + 2 + part.size() > kDetailWidth) {
      facts.add(label, "", line + ",");
      label.clear();
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + part;
  }
  if (!line.empty()) {
    facts.add(label, "", line);
  }
}

void add_bottlenecks(const SimulationResult& result, Facts& facts) {
  const TotalResult& total = result.total;
  const LayerResult& by_expert = worst_by(result, &LayerResult::expert_imbalance);
  const LayerResult& by_rank = worst_by(result, &LayerResult::rank_imbalance);
  facts.add("expert imbalance",
            fmt::format("{:.2f} x", total.expert_imbalance),
            fmt::format("{}, expert {}", layer_label(result, by_expert), by_expert.busiest_expert));
  facts.add("rank imbalance",
            fmt::format("{:.2f} x", total.rank_imbalance),
            fmt::format("{}, rank {}", layer_label(result, by_rank), by_rank.busiest_rank));
  if (total.bottleneck_link >= 0) {
    const LinkResult& link = result.links[static_cast<std::size_t>(total.bottleneck_link)];
    facts.add("busiest link",
              time_text(link.bottleneck_s),
              "as the bottleneck: " + shortened(link.name, kLinkWidth));
  }
  if (total.straggler_rank >= 0 && total.wait_s) {
    facts.add("waiting",
              time_text(total.wait_s),
              fmt::format("over all ranks; rank {} is most often last", total.straggler_rank));
  }
}

void add_traffic(const SimulationResult& result, Facts& facts) {
  const TotalResult& total = result.total;
  if (total.inter_node_bytes && total.intra_node_bytes) {
    facts.add("traffic",
              bytes_text(*total.inter_node_bytes + *total.intra_node_bytes),
              fmt::format("{} between nodes, {} inside them",
                          bytes_text(*total.inter_node_bytes),
                          bytes_text(*total.intra_node_bytes)));
  }
  if (total.dropped_fraction > 0 || total.rerouted_fraction > 0 || total.padded_fraction > 0) {
    facts.add("dropped choices",
              fmt::format("{:.2f} %", 100 * total.dropped_fraction),
              fmt::format("re-routed {:.2f} %, padding {:.2f} % of the slots sent",
                          100 * total.rerouted_fraction,
                          100 * total.padded_fraction));
    facts.add("lost tokens",
              fmt::format("{:.2f} %", 100 * total.lost_token_fraction),
              total.dropped_gate_mass
                  ? fmt::format("without any expert; {:.2f} % of the gate weights dropped",
                                100 * *total.dropped_gate_mass)
                  : "without any expert");
  }
}

void add_replacement(const SimulationResult& result, Facts& facts) {
  if (!result.replacement) {
    return;
  }
  const ReplacementResult& study = *result.replacement;
  std::int64_t copies = 0;
  for (const MigrationResult& migration : study.migrations) {
    copies += migration.copies;
  }
  facts.add("migration",
            time_text(study.migration_s),
            fmt::format("{}: {} experts copied, {}; not part of the step time",
                        counted(study.migrations.size(), "move"),
                        copies,
                        bytes_text(study.migration_bytes)));
  if (study.initial_step_s) {
    facts.add("unmoved step",
              time_text(study.initial_step_s),
              study.break_even_steps
                  ? fmt::format("with the initial placement: a move pays after {:.1f} steps",
                                *study.break_even_steps)
                  : "with the initial placement: moving experts saves nothing");
  }
}

std::string wrapped_note(const std::string& note) {
  std::string text = "  - ";
  std::size_t column = text.size();
  std::size_t start = 0;
  while (start < note.size()) {
    const std::size_t end = std::min(note.find(' ', start), note.size());
    const std::string word = note.substr(start, end - start);
    const std::size_t width = display_width(word);
    if (column > 4 && column + 1 + width > kWidth) {
      text += "\n    ";
      column = 4;
    }
    text += (column > 4 ? " " : "") + word;
    column += width + (column > 4 ? 1 : 0);
    start = end + 1;
  }
  return text + "\n";
}

}  // namespace

std::string summary_text(const SimulationResult& result, const SummaryOptions& options) {
  std::string text = headline(result);
  if (result.is_partial) {
    text += options.style.warning(result.layers.empty()
                                      ? "interrupted before the first layer was finished"
                                      : fmt::format("interrupted: only the first {} finished",
                                                    counted(result.layers.size(), "layer"))) +
            "\n";
  }
  if (result.layers.empty()) {
    return text;
  }
  Facts facts(options.style);
  add_times(result, facts);
  add_bounds(result, facts);
  add_step_exchanges(result, facts);
  add_bottlenecks(result, facts);
  add_traffic(result, facts);
  add_replacement(result, facts);
  text += "\n" + facts.text() + "\n" + layer_table(result, options.all_layers);
  if (options.with_notes && !result.notes.empty()) {
    text += "\nwhat was assumed\n";
    for (const std::string& note : result.notes) {
      text += wrapped_note(note);
    }
  }
  return text;
}

}  // namespace switchyard

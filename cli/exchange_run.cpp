#include "cli/exchange_run.hpp"

#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/framework/command.hpp"
#include "cli/sample_trace.hpp"
#include "cli/scenario_options.hpp"
#include "core/files/atomic_file.hpp"
#include "core/files/json_file.hpp"
#include "core/version.hpp"
#include "sim/exchange/exchange_scenario.hpp"
#include "sim/exchange/interchange.hpp"
#include "sim/exchange/matrix_files.hpp"
#include "sim/network/explanation.hpp"
#include "sim/replay/calibrated_exchange.hpp"
#include "sim/replay/layer_pricing.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kReliefClasses = 3;
constexpr std::size_t kUseBins = 100;
// What needs one exchange to be written about.
constexpr std::array kExchangeFiles{"flows", "link-use", "write-matrix", "htsim", "goal"};
constexpr std::int64_t kLargestIndex = std::int64_t{1} << 40U;

/// Everything about the exchange, wherever it came from.
struct OneExchange {
  std::string title;
  std::shared_ptr<const Fabric> fabric;
  std::shared_ptr<const Network> network;
  NetworkOptions options;
  Schedule schedule;
  Timeline timeline;
};

OneExchange exchange_of_file(const ParsedOptions& options, const json& document) {
  const ExchangeScenario scenario = load_exchange_scenario(document, {"scenario", ""});
  const std::string path = *options.text("matrix");
  const Bytes unit = parse_bytes(options.text_or("matrix-unit", "1B"), {"--matrix-unit", ""});
  if (unit.count <= 0) {
    throw InvalidInput("the unit must be at least a byte", {"--matrix-unit", ""});
  }
  const Exchange exchange = exchange_of_matrix(read_byte_matrix(path, unit), *scenario.fabric);
  OneExchange one{.title = path,
                  .fabric = scenario.fabric,
                  .network = scenario.network,
                  .options = scenario.network_options,
                  .schedule = scenario.all_to_all->schedule(exchange)};
  const CalibrationEntry* entry =
      scenario.calibration ? scenario.calibration->entry_for(/*combine=*/false) : nullptr;
  if (entry != nullptr) {
    const ExchangeFeatures features = exchange_features(
        *one.fabric, *scenario.all_to_all, exchange, one.schedule, {.sms = assumed_sms(*entry, 0)});
    one.options = calibrated_options(one.options, entry->constants, features, *one.fabric);
  }
  one.timeline = one.network->simulate(*one.fabric, one.schedule, one.options);
  return one;
}

std::size_t index_of_layer(const Scenario& scenario, std::int64_t step, std::int64_t layer) {
  const auto* trace = std::get_if<RoutingTrace>(scenario.routing.get());
  if (trace == nullptr) {
    throw MissingCapability("this input has counts, not tokens: single exchanges need a trace",
                            {"--layer", ""});
  }
  const auto& layers = trace->step_layers();
  for (std::size_t index = 0; index < layers.size(); ++index) {
    if (layers[index].step == step && layers[index].layer == layer) {
      return index;
    }
  }
  throw InvalidInput(fmt::format("step {} has no layer {}", step, layer),
                     {"--layer", ""},
                     "switchyard inspect TRACE shows which layers there are");
}

OneExchange exchange_of_layer(const ParsedOptions& options, const json& document) {
  const Scenario scenario = load_scenario_with_samples(document, {"scenario", ""});
  const std::int64_t layer = *options.integer("layer", {0, kLargestIndex});
  const std::int64_t step = options.integer("step", {0, kLargestIndex}).value_or(0);
  const std::string direction = options.text_or("direction", "dispatch");
  if (direction != "dispatch" && direction != "combine") {
    throw InvalidInput(
        "\"" + direction + "\" is no direction", {"--direction", ""}, "dispatch or combine");
  }
  PricedLayer priced = LayerPricer(scenario).price(index_of_layer(scenario, step, layer));
  PricedExchange* chosen =
      priced.exchange(direction == "dispatch" ? Lane::Dispatch : Lane::Combine);
  if (chosen == nullptr) {
    throw MissingCapability("this layer has no " + direction,
                            {"--layer", ""},
                            "the schedule has none, or the trace does not say where tokens start");
  }
  return {.title = fmt::format("step {} layer {} {}", step, layer, direction),
          .fabric = scenario.fabric,
          .network = scenario.network,
          .options = std::move(chosen->options),
          .schedule = std::move(chosen->schedule),
          .timeline = std::move(chosen->timeline)};
}

/// How much of its rate each link that carried something gave, in equal parts of the makespan.
std::string link_use_csv(const OneExchange& one) {
  const Matrix<double> use =
      link_utilisation({*one.fabric, one.schedule, one.options, one.timeline}, kUseBins);
  const double bin_s = one.timeline.makespan_s / static_cast<double>(kUseBins);
  std::string text = "link,start_s,end_s,use\n";
  for (std::size_t link = 0; link < use.rows(); ++link) {
    if (one.timeline.link_bytes[link] <= 0) {
      continue;
    }
    for (std::size_t bin = 0; bin < kUseBins; ++bin) {
      text += fmt::format("{},{:.9g},{:.9g},{:.6g}\n",
                          one.fabric->links()[link].name,
                          bin_s * static_cast<double>(bin),
                          bin_s * static_cast<double>(bin + 1),
                          use(link, bin));
    }
  }
  return text;
}

/// All texts are made before the first file is written: one that cannot be said leaves no others.
void write_files(const ParsedOptions& options, const OneExchange& one) {
  std::vector<std::pair<std::string, std::string>> texts;  // path, content
  if (const auto path = options.text("flows")) {
    texts.emplace_back(*path, flows_csv(one.schedule, one.timeline));
  }
  if (const auto path = options.text("link-use")) {
    texts.emplace_back(*path, link_use_csv(one));
  }
  if (const auto path = options.text("write-matrix")) {
    texts.emplace_back(*path, byte_matrix_text(bytes_between_ranks(one.schedule)));
  }
  if (const auto path = options.text("htsim")) {
    texts.emplace_back(*path, htsim_connection_matrix(one.schedule));
  }
  if (const auto path = options.text("goal")) {
    texts.emplace_back(*path, goal_text(one.schedule));
  }
  for (const auto& [path, text] : texts) {
    write_file(path, text, options.has("force"));
  }
}

std::string link_name(const OneExchange& one) {
  return one.timeline.bottleneck_link < 0
             ? ""
             : one.fabric->links()[static_cast<std::size_t>(one.timeline.bottleneck_link)].name;
}

struct Explained {
  ScheduleBounds bounds;
  std::vector<RankSplit> ranks;
  std::vector<Relief> reliefs;
};

Explained explain(const OneExchange& one) {
  const PricedSchedule priced{*one.fabric, one.schedule, one.options, one.timeline};
  // SimGrid would take minutes to answer what fluid answers alike.
  const std::size_t classes = one.timeline.network == "simgrid" ? 0 : kReliefClasses;
  return {schedule_bounds(*one.fabric, one.schedule, one.options),
          rank_splits(priced),
          relief_options(*one.network, priced, classes)};
}

std::string as_json(const OneExchange& one, const Explained& why) {
  ordered_json document{
      {"format_version", 1},
      {"program_version", kProgramVersion},
      {"exchange", one.title},
      {"topology", one.fabric->name()},
      {"network",
       {{"name", one.timeline.network},
        {"mode", one.timeline.mode},
        {"window", one.timeline.window_epsilon}}},
      {"ranks", one.schedule.rank_count},
      {"transfers", one.schedule.transfer_count()},
      {"bytes",
       std::accumulate(one.schedule.bytes.begin(), one.schedule.bytes.end(), std::int64_t{0})},
      {"time_s", one.timeline.makespan_s},
      {"lower_bound_s", why.bounds.busiest_link_s},
      {"contention_free_s", why.bounds.contention_free_s},
      {"critical_path_s", why.bounds.critical_path_s},
      {"bottleneck_link", link_name(one)},
      {"rank_split", ordered_json::array()},
      {"relief", ordered_json::array()}};
  for (const RankSplit& split : why.ranks) {
    document["rank_split"].push_back(
        {{"transfer_s", split.transfer_s}, {"queue_s", split.queue_s}, {"wait_s", split.wait_s}});
  }
  for (const Relief& relief : why.reliefs) {
    document["relief"].push_back({{"links", relief.links},
                                  {"link_count", relief.link_count},
                                  {"time_s", relief.makespan_s},
                                  {"saved_s", relief.saved_s}});
  }
  return document.dump(2) + "\n";
}

double mean_of(const std::vector<RankSplit>& splits, double RankSplit::*part) {
  double sum = 0;
  for (const RankSplit& split : splits) {
    sum += split.*part;
  }
  return splits.empty() ? 0 : sum / static_cast<double>(splits.size());
}

std::string as_text(const OneExchange& one, const Explained& why) {
  const auto time = [](double seconds) { return format_quantity(Seconds{seconds}); };
  std::string text = fmt::format("{} on {}\n{} ranks, {} transfers · network {} ({})\n\n",
                                 one.title,
                                 one.fabric->name(),
                                 one.schedule.rank_count,
                                 one.schedule.transfer_count(),
                                 one.timeline.network,
                                 one.timeline.mode);
  text += fmt::format("  time             {:<10} busiest link {}\n",
                      time(one.timeline.makespan_s),
                      link_name(one).empty() ? "none" : link_name(one));
  text += fmt::format("  busiest link     {:<10} no order of the transfers is faster\n",
                      time(why.bounds.busiest_link_s));
  text += fmt::format("  contention-free  {:<10} the slowest rank alone\n",
                      time(why.bounds.contention_free_s));
  text += fmt::format("  critical path    {:<10} {} transfers that wait for one another\n",
                      time(why.bounds.critical_path_s),
                      why.bounds.critical_path.size());
  text += fmt::format("  mean rank        {:<10} moving its own bytes, {} queueing, {} waiting\n",
                      time(mean_of(why.ranks, &RankSplit::transfer_s)),
                      time(mean_of(why.ranks, &RankSplit::queue_s)),
                      time(mean_of(why.ranks, &RankSplit::wait_s)));
  text += why.reliefs.empty() ? "" : "\nwhat would help: twice the rate of\n";
  for (const Relief& relief : why.reliefs) {
    // Less than a thousandth is rounding, and so is its sign.
    const double exact = relief.saved_s / one.timeline.makespan_s;
    const double share = std::abs(exact) < 5e-4 ? 0 : 100 * exact;
    text += fmt::format("  {:<44} {:>5.1f} % less{}\n",
                        relief.links,
                        share,
                        relief.link_count > 1 ? fmt::format(", {} links", relief.link_count) : "");
  }
  return text;
}

}  // namespace

void declare_exchange(OptionTable& table) {
  table
      .value("matrix",
             "FILE",
             "price one all-to-all of a text matrix of bytes instead of a trace",
             Values::path())
      .value("matrix-unit", "SIZE", "what the matrix counts in; default 1B")
      .value("layer", "N", "price one exchange of this layer of the trace, and explain it")
      .value("step", "N", "with --layer: which step; default 0")
      .value("direction", "NAME", "with --layer: dispatch or combine", Values::among([] {
               return std::vector<std::string>{"dispatch", "combine"};
             }))
      .value("flows",
             "FILE",
             "with --matrix or --layer: every transfer with its times (CSV)",
             Values::path())
      .value("link-use",
             "FILE",
             "... how busy each link was in each hundredth of the time (CSV)",
             Values::path())
      .value("write-matrix",
             "FILE",
             "... bytes between ranks, as nccl-tests alltoallv reads them",
             Values::path())
      .value("htsim", "FILE", "... connection matrix of htsim", Values::path())
      .value("goal", "FILE", "... GOAL text of LogGOPSim and ATLAHS", Values::path());
}

bool wants_exchange(const ParsedOptions& options) {
  const bool wants = options.has("matrix") || options.has("layer");
  for (const char* output : kExchangeFiles) {
    if (!wants && options.has(output)) {
      throw InvalidInput("is about one exchange",
                         {std::string("--") + output, ""},
                         "name it: --matrix FILE, or --trace FILE --layer N");
    }
  }
  return wants;
}

ExitCode run_exchange(const ParsedOptions& options) {
  if (options.has("matrix") && options.has("layer")) {
    throw InvalidInput("a matrix has no layers", {"--layer", ""}, "give --matrix or --layer");
  }
  for (const char* output : {"csv", "timeline", "save", "fail-if"}) {
    if (options.has(output)) {
      throw InvalidInput("is for whole traces, not for one exchange",
                         {std::string("--") + output, ""});
    }
  }
  for (const char* output : kExchangeFiles) {
    if (const auto path = options.text(output)) {
      check_writable(*path, options.has("force"));
    }
  }
  json document = scenario_argument(options, "a scenario");
  apply_scenario_options(document, options);
  const OneExchange one = options.has("matrix") ? exchange_of_file(options, document)
                                                : exchange_of_layer(options, document);
  write_files(options, one);
  const Explained why = explain(one);
  write_output(options, options.has("json") ? as_json(one, why) : as_text(one, why));
  return ExitCode::Ok;
}

}  // namespace switchyard

#include "report/files/result_tables.hpp"

#include <nlohmann/json.hpp>

#include "core/version.hpp"
#include "report/files/lanes.hpp"
#include "report/files/result_json.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using Row = ResultTable::Row;
using Sink = std::function<void(const Row&)>;

// One simulation is one point of a study.
constexpr std::int64_t kPoint = 1;

MetricValue whole(std::size_t number) {
  return static_cast<std::int64_t>(number);
}

MetricValue index_or_nothing(std::int32_t number) {
  return number < 0 ? MetricValue() : MetricValue(std::int64_t{number});
}

MetricValue number_or_nothing(const std::optional<double>& number) {
  return number ? MetricValue(*number) : MetricValue();
}

ResultTable study_table() {
  return {
      "study", {{"format_version", "INTEGER"}, {"program_version", "TEXT"}}, [](const Sink& sink) {
        sink({std::int64_t{kResultFormatVersion}, std::string(kProgramVersion)});
      }};
}

ResultTable point_table(const SimulationResult& result) {
  return {"point",
          {{"point", "INTEGER"},
           {"scenario_hash", "TEXT"},
           {"scenario", "TEXT"},
           {"seed", "INTEGER"},
           {"fidelity", "TEXT"},
           {"network", "TEXT"},
           {"network_mode", "TEXT"},
           {"network_window", "REAL"},
           {"topology", "TEXT"},
           {"is_calibrated", "INTEGER"},
           {"is_partial", "INTEGER"},
           {"steps", "INTEGER"},
           {"layers", "INTEGER"},
           {"ranks", "INTEGER"},
           {"nodes", "INTEGER"},
           {"experts", "INTEGER"},
           {"top_k", "INTEGER"}},
          [&result](const Sink& sink) {
            sink({kPoint,
                  result.scenario_hash,
                  result.scenario_json,
                  static_cast<std::int64_t>(result.seed),
                  std::string(fidelity_name(result.fidelity)),
                  result.network,
                  result.network_mode,
                  result.window_epsilon,
                  result.topology,
                  std::int64_t{result.is_calibrated},
                  std::int64_t{result.is_partial},
                  result.total.steps,
                  result.total.layers,
                  whole(result.ranks),
                  whole(result.nodes),
                  whole(result.experts),
                  whole(result.top_k)});
          }};
}

void add_parameters(const json& value, const std::string& path, const Sink& sink) {
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      add_parameters(item.value(), path.empty() ? item.key() : path + "." + item.key(), sink);
    }
    return;
  }
  sink({kPoint, path, value.is_string() ? value.get<std::string>() : value.dump()});
}

ResultTable parameter_table(const SimulationResult& result) {
  return {"parameter",
          {{"point", "INTEGER"}, {"path", "TEXT"}, {"value", "TEXT"}},
          [&result](const Sink& sink) {
            const json scenario = json::parse(result.scenario_json, nullptr, false);
            add_parameters(scenario.is_discarded() ? json::object() : scenario, "", sink);
          }};
}

ResultTable metric_table(const SimulationResult& result) {
  return {"metric",
          {{"point", "INTEGER"}, {"name", "TEXT"}, {"value", "REAL"}, {"text", "TEXT"}},
          [&result](const Sink& sink) {
            for (const Metric& metric : total_metrics(result)) {
              const bool is_text = std::holds_alternative<std::string>(metric.value);
              sink({kPoint,
                    metric.name,
                    is_text ? MetricValue() : metric.value,
                    is_text ? metric.value : MetricValue()});
            }
          }};
}

ResultTable layer_table(const SimulationResult& result) {
  ResultTable table{
      "layer", {{"point", "INTEGER"}, {"step", "INTEGER"}, {"layer", "INTEGER"}}, nullptr};
  for (const Metric& metric : layer_metrics({}, {})) {
    table.columns.push_back({metric.name, metric.name == "bottleneck_link" ? "TEXT" : "REAL"});
  }
  for (const ResultColumn& extra : {ResultColumn{"rerouted_fraction", "REAL"},
                                    ResultColumn{"wait_s", "REAL"},
                                    ResultColumn{"straggler_rank", "INTEGER"},
                                    ResultColumn{"busiest_expert", "INTEGER"},
                                    ResultColumn{"busiest_rank", "INTEGER"},
                                    ResultColumn{"pairs", "INTEGER"}}) {
    table.columns.push_back(extra);
  }
  table.each_row = [&result](const Sink& sink) {
    for (const LayerResult& layer : result.layers) {
      Row row{kPoint, layer.step, layer.layer};
      for (Metric& metric : layer_metrics(result, layer)) {
        row.push_back(std::move(metric.value));
      }
      row.insert(row.end(),
                 {layer.rerouted_fraction,
                  number_or_nothing(layer.wait_s),
                  index_or_nothing(layer.straggler_rank),
                  index_or_nothing(layer.busiest_expert),
                  index_or_nothing(layer.busiest_rank),
                  layer.pairs});
      sink(row);
    }
  };
  return table;
}

ResultTable link_table(const SimulationResult& result) {
  return {"link",
          {{"point", "INTEGER"},
           {"link", "INTEGER"},
           {"name", "TEXT"},
           {"bandwidth", "REAL"},
           {"bytes", "REAL"},
           {"busy_s", "REAL"},
           {"bottleneck_s", "REAL"}},
          [&result](const Sink& sink) {
            for (std::size_t i = 0; i < result.links.size(); ++i) {
              const LinkResult& link = result.links[i];
              sink({kPoint,
                    whole(i),
                    link.name,
                    link.bandwidth,
                    link.bytes,
                    link.busy_s,
                    link.bottleneck_s});
            }
          }};
}

ResultTable expert_table(const SimulationResult& result) {
  return {"expert",
          {{"point", "INTEGER"},
           {"step", "INTEGER"},
           {"layer", "INTEGER"},
           {"expert", "INTEGER"},
           {"rows", "INTEGER"}},
          [&result](const Sink& sink) {
            for (const LayerResult& layer : result.layers) {
              for (std::size_t expert = 0; expert < layer.expert_rows.size(); ++expert) {
                sink({kPoint, layer.step, layer.layer, whole(expert), layer.expert_rows[expert]});
              }
            }
          }};
}

ResultTable rank_table(const SimulationResult& result) {
  return {"rank",
          {{"point", "INTEGER"},
           {"step", "INTEGER"},
           {"layer", "INTEGER"},
           {"rank", "INTEGER"},
           {"rows", "INTEGER"},
           {"start_s", "REAL"},
           {"compute_s", "REAL"}},
          [&result](const Sink& sink) {
            const auto at = [](const std::vector<double>& values, std::size_t rank) {
              return rank < values.size() ? MetricValue(values[rank]) : MetricValue();
            };
            for (const LayerResult& layer : result.layers) {
              for (std::size_t rank = 0; rank < layer.rank_rows.size(); ++rank) {
                sink({kPoint,
                      layer.step,
                      layer.layer,
                      whole(rank),
                      layer.rank_rows[rank],
                      at(layer.rank_start_s, rank),
                      at(layer.rank_compute_s, rank)});
              }
            }
          }};
}

ResultTable phase_table(const SimulationResult& result) {
  return {"phase",
          {{"point", "INTEGER"},
           {"step", "INTEGER"},
           {"layer", "INTEGER"},
           {"place", "INTEGER"},
           {"phase", "TEXT"},
           {"lane", "TEXT"},
           {"time_s", "REAL"},
           {"bytes", "REAL"},
           {"bound", "TEXT"},
           {"bottleneck_link", "TEXT"}},
          [&result](const Sink& sink) {
            for (const LayerResult& layer : result.layers) {
              for (std::size_t place = 0; place < layer.phases.size(); ++place) {
                const PhaseResult& phase = layer.phases[place];
                const std::string link = link_name(result, phase.bottleneck_link);
                sink({kPoint,
                      layer.step,
                      layer.layer,
                      whole(place),
                      phase.name,
                      std::string(lane_name(phase.lane)),
                      phase.time_s,
                      phase.bytes,
                      std::string(bound_name(phase.bound)),
                      link.empty() ? MetricValue() : MetricValue(link)});
              }
            }
          }};
}

ResultTable event_table(const SimulationResult& result) {
  return {"event",
          {{"point", "INTEGER"},
           {"step", "INTEGER"},
           {"layer", "INTEGER"},
           {"rank", "INTEGER"},
           {"lane", "TEXT"},
           {"phase", "TEXT"},
           {"start_s", "REAL"},
           {"duration_s", "REAL"}},
          [&result](const Sink& sink) {
            for (const LayerResult& layer : result.layers) {
              for (const LaneInterval& interval : lane_intervals(layer)) {
                sink({kPoint,
                      layer.step,
                      layer.layer,
                      std::int64_t{interval.rank},
                      std::string(lane_name(interval.lane)),
                      std::string(interval.name),
                      interval.start_s,
                      interval.finish_s - interval.start_s});
              }
            }
          }};
}

ResultTable expected_error_table(const SimulationResult& result) {
  return {"expected_error",
          {{"point", "INTEGER"},
           {"phase", "TEXT"},
           {"median", "REAL"},
           {"p95", "REAL"},
           {"rows", "INTEGER"},
           {"is_held_out", "INTEGER"},
           {"calibration", "TEXT"},
           {"model", "TEXT"},
           {"hardware", "TEXT"}},
          [&result](const Sink& sink) {
            for (const ExpectedError& expected : result.expected_errors) {
              sink({kPoint,
                    expected.phase,
                    expected.median,
                    expected.p95,
                    expected.rows,
                    std::int64_t{expected.is_held_out},
                    expected.calibration,
                    expected.model,
                    expected.hardware});
            }
          }};
}

ResultTable outside_calibration_table(const SimulationResult& result) {
  return {
      "outside_calibration", {{"point", "INTEGER"}, {"text", "TEXT"}}, [&result](const Sink& sink) {
        for (const std::string& text : result.outside_calibration) {
          sink({kPoint, text});
        }
      }};
}

ResultTable note_table(const SimulationResult& result) {
  return {"note", {{"point", "INTEGER"}, {"note", "TEXT"}}, [&result](const Sink& sink) {
            for (const std::string& note : result.notes) {
              sink({kPoint, note});
            }
          }};
}

}  // namespace

std::vector<ResultTable> result_tables(const SimulationResult& result) {
  return {study_table(),
          point_table(result),
          parameter_table(result),
          metric_table(result),
          layer_table(result),
          link_table(result),
          expert_table(result),
          rank_table(result),
          phase_table(result),
          event_table(result),
          expected_error_table(result),
          outside_calibration_table(result),
          note_table(result)};
}

}  // namespace switchyard

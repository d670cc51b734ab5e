// Topologies and results as `inspect` shows them.
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "cli/inspection.hpp"
#include "report/files/result_json.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string shown(const ordered_json& value) {
  if (value.is_null()) {
    return "-";
  }
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.is_number_float() ? fmt::format("{:.6g}", value.get<double>()) : value.dump();
}

std::string rows_of(const ordered_json& object) {
  std::string text;
  for (const auto& item : object.items()) {
    text += fmt::format("  {:<26}{}\n", item.key(), shown(item.value()));
  }
  return text;
}

struct LinkClass {
  std::string kinds;
  double bandwidth = 0;
  double latency_s = 0;

  auto operator<=>(const LinkClass&) const = default;
};

std::map<LinkClass, std::size_t> link_classes(const Fabric& fabric) {
  std::map<LinkClass, std::size_t> classes;
  for (const Link& link : fabric.links()) {
    const auto kind = [&](DeviceId device) {
      return std::string(device_kind_name(fabric.devices()[device.index()].kind));
    };
    ++classes[{kind(link.from) + " -> " + kind(link.to),
               link.effective_bandwidth().value,
               link.latency.count()}];
  }
  return classes;
}

}  // namespace

Inspection inspect_topology(const Fabric& fabric) {
  std::map<std::string, std::size_t> devices;
  for (const Device& device : fabric.devices()) {
    ++devices[std::string(device_kind_name(device.kind))];
  }
  ordered_json document{{"kind", "topology"},
                        {"name", fabric.name()},
                        {"source", fabric.source()},
                        {"is_calibrated", fabric.is_calibrated()},
                        {"gpus", fabric.rank_count()},
                        {"nodes", fabric.node_count()},
                        {"devices", devices}};
  document["links"] = ordered_json::array();
  TextTable table({{"links", TextTable::Align::Left}, {"count"}, {"bandwidth"}, {"latency"}});
  for (const auto& [link, count] : link_classes(fabric)) {
    document["links"].push_back({{"kinds", link.kinds},
                                 {"count", count},
                                 {"bandwidth", link.bandwidth},
                                 {"latency_s", link.latency_s}});
    table.add({link.kinds,
               fmt::format("{}", count),
               format_quantity(BytesPerSecond{link.bandwidth}),
               format_quantity(Seconds{link.latency_s})});
  }
  std::string text = fmt::format("  {:<14}topology {}\n  {:<14}{} GPUs on {} node{}\n",
                                 "kind",
                                 fabric.name(),
                                 "shape",
                                 fabric.rank_count(),
                                 fabric.node_count(),
                                 fabric.node_count() == 1 ? "" : "s");
  std::string kinds;
  for (const auto& [kind, count] : devices) {
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
  }
  text += fmt::format("  {:<14}{}\n", "devices", kinds);
  if (!fabric.source().empty()) {
    text += fmt::format("  {:<14}{}\n", "source", fabric.source());
  }
  text += fmt::format(
      "  {:<14}{}\n\n", "calibrated", fabric.is_calibrated() ? "yes" : "no: data-sheet rates");
  return {std::move(document), text + table.text()};
}

Inspection inspect_result(const StoredResult& result) {
  ordered_json point = ordered_json::object();
  for (const Metric& column : result.point) {
    if (column.name != "point" && column.name != "scenario") {
      point[column.name] = json_value(column.value);
    }
  }
  ordered_json total = ordered_json::object();
  for (const Metric& metric : result.metrics) {
    total[metric.name] = json_value(metric.value);
  }
  ordered_json tables = ordered_json::object();
  for (const auto& [table, rows] : result.row_counts) {
    tables[table] = rows;
  }
  const std::string text = fmt::format(
      "  {:<26}result file, format {}, of switchyard {}\n{}\ntotal\n{}\ntables (rows)\n{}",
      "kind",
      result.format_version,
      result.program_version,
      rows_of(point),
      rows_of(total),
      rows_of(tables));
  ordered_json document{{"kind", "result"},
                        {"format_version", result.format_version},
                        {"program_version", result.program_version},
                        {"point", point},
                        {"total", total},
                        {"tables", tables}};
  return {std::move(document), text};
}

Inspection inspect_result_document(const json& document, const Location& where) {
  for (const char* key : {"format_version", "scenario_hash", "fidelity", "network", "layers"}) {
    if (!document.contains(key)) {
      throw InvalidInput(fmt::format("no key \"{}\": not a result of switchyard", key), where);
    }
  }
  if (!document["layers"].is_array() || !document["total"].is_object()) {
    throw InvalidInput("\"layers\" or \"total\" has the wrong type", where);
  }
  // A metric may be missing or new in another version; whatever is there is shown.
  ordered_json shown_keys{{"kind", "result"}};
  for (const char* key : {"format_version",
                          "program_version",
                          "scenario_hash",
                          "seed",
                          "fidelity",
                          "network",
                          "is_partial"}) {
    if (document.contains(key)) {
      shown_keys[key] = document[key];
    }
  }
  shown_keys["layers"] = document["layers"].size();
  ordered_json total(document["total"]);
  std::string text = rows_of(shown_keys) + "\ntotal\n" + rows_of(total);
  shown_keys["total"] = std::move(total);
  return {std::move(shown_keys), text};
}

}  // namespace switchyard

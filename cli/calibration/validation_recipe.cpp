#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/calibration/validation.hpp"
#include "core/components/parameters.hpp"
#include "core/files/json_file.hpp"
#include "topologies/topology_file.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::vector<std::string> texts(const json& list, const Location& where) {
  if (list.is_null()) {
    return {};
  }
  const bool all_texts = list.is_array() && std::ranges::all_of(list, [](const json& entry) {
                           return entry.is_string();
                         });
  if (!all_texts) {
    throw InvalidInput("wrong type: wanted a list of texts", where);
  }
  return list.get<std::vector<std::string>>();
}

ValidationDataset read_dataset(const json& document,
                               const Location& where,
                               const std::filesystem::path& data) {
  Parameters parameters(document, where);
  const auto list = [&](const char* name, const char* sentence) {
    return texts(parameters.get_json(name, sentence), where.child(name));
  };
  ValidationDataset dataset;
  dataset.id = parameters.require_text("id", "h100_nccl", "names the figures");
  dataset.title = parameters.require_text("title", "NCCL on H100", "heading");
  dataset.file = parameters.require_text("file", "table.csv", "below the data folder");
  dataset.x = parameters.get_text("x", "tokens_per_rank", "column on the horizontal axis");
  dataset.series = list("series", "columns that tell lines apart; default: ep_size");
  if (dataset.series.empty()) {
    dataset.series = {"ep_size"};
  }
  dataset.figure_selection = list("figure", "column=value of the rows in the figure");
  dataset.preset =
      parameters.get_text("preset", "", "built-in calibration that its constants are part of");
  dataset.notes = list("notes", "what to know of it");
  CalibrationRequest& request = dataset.request;
  request.files = {data / dataset.file};
  request.selection = list("select", "column=value of its rows");
  request.fixed = list("fix", "constants that are given: name=value");
  request.model = parameters.get_text("model", "", "family of constants; empty = by the rows");
  request.hold_out = parameters.get_text("hold_out", "75%", "rows to predict");
  request.defaults.experts =
      parameters.get_integer("experts", 0, {0, 1 << 20}, "experts of rows that do not say");
  request.defaults.experts_per_rank = parameters.get_integer(
      "experts_per_rank", 0, {0, 1 << 20}, "experts a rank of rows that do not say");
  request.seed = static_cast<std::uint64_t>(
      parameters.get_integer("seed", 1, {0, std::int64_t{1} << 53U}, "of hold-out and routing"));
  const json topology = parameters.get_json("topology", "preset, file or document");
  parameters.finish();
  if (topology.is_null()) {
    throw InvalidInput("names no topology", where.child("topology"));
  }
  request.fabric = std::make_shared<const Fabric>(
      topology.is_string() ? load_topology(topology.get<std::string>())
                           : fabric_from_json(topology, where.child("topology")));
  Parameters none(json::object(), {});
  request.network = Registry<Network>::instance().create("fluid", "network", none);
  return dataset;
}

}  // namespace

ValidationRecipe read_validation_recipe(const std::filesystem::path& recipe,
                                        const std::filesystem::path& data) {
  const json document = read_json_file(recipe);
  const Location where{recipe.string(), ""};
  if (!document.is_object() || !document.contains("datasets") || !document["datasets"].is_array()) {
    throw InvalidInput("is no validation recipe: wanted {\"datasets\": [...]}", where);
  }
  ValidationRecipe read;
  const json& list = document["datasets"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    read.datasets.push_back(read_dataset(list[i], where.child("datasets").child(i), data));
  }
  read.left_out = texts(document.value("left_out", json()), where.child("left_out"));
  return read;
}

}  // namespace switchyard

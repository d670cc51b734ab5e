#include "report/layer_table.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/numbers/units.hpp"
#include "report/text_table.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kLayersShown = 5;

std::string seconds_text(const std::optional<double>& seconds) {
  return seconds ? format_quantity(Seconds{*seconds}) : "-";
}

// Slowest first when only some are shown, in their own order when all are.
std::vector<std::size_t> shown_layers(const SimulationResult& result, bool all) {
  std::vector<std::size_t> order(result.layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (all || order.size() <= kLayersShown) {
    return order;
  }
  const auto key = [&](std::size_t index) {
    const LayerResult& layer = result.layers[index];
    return layer.layer_s ? *layer.layer_s : layer.rank_imbalance;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return key(left) > key(right);
  });
  order.resize(std::min(order.size(), kLayersShown));
  return order;
}

}  // namespace

std::string layer_table(const SimulationResult& result, bool all) {
  const auto order = shown_layers(result, all);
  const bool has_steps = result.total.steps > 1;
  const bool has_times = result.total.layer_s.has_value();
  std::vector<TextTable::Column> columns;
  if (has_steps) {
    columns.push_back({"step"});
  }
  columns.push_back({"layer"});
  if (has_times) {
    columns.insert(columns.end(), {{"time"}, {"dispatch"}, {"compute"}, {"combine"}});
  }
  columns.insert(columns.end(), {{"experts"}, {"ranks"}, {"busiest"}});
  TextTable table(columns);
  for (const std::size_t index : order) {
    const LayerResult& layer = result.layers[index];
    std::vector<std::string> row;
    if (has_steps) {
      row.push_back(fmt::format("{}", layer.step));
    }
    row.push_back(fmt::format("{}", layer.layer));
    if (has_times) {
      row.push_back(seconds_text(layer.layer_s));
      row.push_back(layer.dispatch ? seconds_text(layer.dispatch->time_s) : "-");
      row.push_back(seconds_text(layer.compute_s));
      row.push_back(layer.combine ? seconds_text(layer.combine->time_s) : "-");
    }
    row.push_back(fmt::format("{:.2f} x", layer.expert_imbalance));
    row.push_back(fmt::format("{:.2f} x", layer.rank_imbalance));
    row.push_back(fmt::format("{}", layer.busiest_rank));
    table.add(std::move(row));
  }
  const std::string title =
      all || order.size() == result.layers.size()
          ? "layers"
          : fmt::format(
                "{} of {} layers", has_times ? "slowest" : "least balanced", result.layers.size());
  return title + "\n" + table.text();
}

}  // namespace switchyard

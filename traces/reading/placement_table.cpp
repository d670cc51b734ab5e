#include "traces/reading/placement_table.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "traces/reading/number_scanner.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::string_view kHeader = "rank,moe_layer,experts";
constexpr std::int64_t kMostRanks = 1 << 20;
constexpr std::int64_t kLargest = INT64_C(1) << 53;

using RowsByKey = std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int32_t>>;

void read_row(NumberScanner scanner, RowsByKey& rows) {
  const std::int64_t rank = scanner.integer(0, kMostRanks - 1);
  scanner.expect(',');
  const std::int64_t layer = scanner.integer(0, kLargest);
  scanner.expect(',');
  std::vector<std::int32_t> experts;
  do {
    const auto id = static_cast<std::int32_t>(scanner.integer(0, kMostExperts - 1));
    if (std::find(experts.begin(), experts.end(), id) != experts.end()) {
      throw InvalidInput(fmt::format("expert {} twice on one rank", id), scanner.where());
    }
    experts.push_back(id);
  } while (scanner.skip(' '));
  if (!scanner.at_end()) {
    scanner.fail("wanted a space or the end of the line");
  }
  if (!rows.emplace(std::pair(layer, rank), std::move(experts)).second) {
    throw InvalidInput(fmt::format("rank {} comes twice in layer {}", rank, layer),
                       scanner.where());
  }
}

void check_layer(const PlacementTable& table, std::size_t index) {
  const auto rows = table.layer_rows(index);
  const Location where{table.where.file, fmt::format("layer {}", table.layers[index])};
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(table.ranks); ++rank) {
    if (rank >= rows.size() || std::cmp_not_equal(rows[rank].rank, rank)) {
      throw InvalidInput(fmt::format("rank {} is missing", rank), where);
    }
  }
  std::vector<bool> has_slot(static_cast<std::size_t>(table.experts));
  for (const PlacementRow& row : rows) {
    for (const std::int32_t expert : row.experts) {
      has_slot[static_cast<std::size_t>(expert)] = true;
    }
  }
  const auto missing = std::find(has_slot.begin(), has_slot.end(), false);
  if (missing != has_slot.end()) {
    throw InvalidInput(fmt::format("expert {} is on no rank", missing - has_slot.begin()), where);
  }
}

}  // namespace

std::span<const PlacementRow> PlacementTable::layer_rows(std::size_t index) const {
  const auto [first, end] = std::equal_range(
      rows.begin(),
      rows.end(),
      PlacementRow{layers.at(index), 0, {}},
      [](const PlacementRow& a, const PlacementRow& b) { return a.layer < b.layer; });
  return {first, end};
}

PlacementTable read_placement_table(const std::filesystem::path& path) {
  PlacementTable table;
  table.where = {path.string(), ""};
  TextReader reader(path);
  std::string_view line;
  if (!reader.next(line) || line != kHeader) {
    throw InvalidInput(fmt::format("the header is not {}", kHeader), table.where.at_line(1));
  }
  RowsByKey by_key;
  while (reader.next(line)) {
    if (!line.empty()) {
      read_row(NumberScanner(line, reader), by_key);
    }
  }
  if (by_key.empty()) {
    throw InvalidInput("holds no placement", table.where);
  }
  for (auto& [key, experts] : by_key) {
    const auto& [layer, rank] = key;
    if (table.layers.empty() || table.layers.back() != layer) {
      table.layers.push_back(layer);
    }
    table.ranks = std::max(table.ranks, rank + 1);
    table.experts = std::max(table.experts,
                             std::int64_t{*std::max_element(experts.begin(), experts.end())} + 1);
    table.rows.push_back({layer, rank, std::move(experts)});
  }
  for (std::size_t i = 0; i < table.layers.size(); ++i) {
    check_layer(table, i);
  }
  return table;
}

}  // namespace switchyard

// The writers of placement files; see placement_files.hpp.
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "sim/placement_files.hpp"

namespace switchyard {
namespace {

using nlohmann::ordered_json;

bool repeats(const Placement& placement) {
  for (const LayerPlacement& layer : placement.layers) {
    std::set<std::pair<std::int32_t, std::int32_t>> seen;
    for (std::size_t slot = 0; slot < layer.slot_to_expert.size(); ++slot) {
      if (!seen.emplace(layer.slot_to_expert[slot], layer.slot_to_rank[slot]).second) {
        return true;
      }
    }
  }
  return false;
}

// Slots by rank; throws unless every rank has the same number and experts are whole.
std::vector<std::vector<std::int32_t>> even_slots(const Placement& placement,
                                                  const PlacementInput& input) {
  std::vector<std::vector<std::int32_t>> rows;
  const std::size_t slots = placement.layers.empty() ? 0 : placement.layers[0].slot_to_rank.size();
  for (std::size_t layer = 0; layer < placement.layers.size(); ++layer) {
    const LayerPlacement& from = placement.layers[layer];
    std::vector<std::vector<std::int32_t>> by_rank(input.ranks);
    for (std::size_t slot = 0; slot < from.slot_to_rank.size(); ++slot) {
      by_rank[static_cast<std::size_t>(from.slot_to_rank[slot])].push_back(
          from.slot_to_expert[slot]);
    }
    std::vector<std::int32_t>& row = rows.emplace_back();
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      if (by_rank[rank].size() * input.ranks != slots || from.shards != 1) {
        throw InvalidInput(
            fmt::format("layer {} has {} {} on rank {}; this format wants whole experts and {} "
                        "slots over {} ranks, equally many each",
                        input.layers[layer],
                        by_rank[rank].size(),
                        from.shards == 1 ? "slots" : "parts of experts",
                        rank,
                        slots,
                        input.ranks),
            {"--placement-out", ""},
            "write .json or .csv");
      }
      row.insert(row.end(), by_rank[rank].begin(), by_rank[rank].end());
    }
  }
  return rows;
}

std::string own_text(const Placement& placement, const PlacementInput& input) {
  ordered_json document{{"format_version", kPlacementFormatVersion},
                        {"experts", input.experts},
                        {"ranks", input.ranks}};
  if (repeats(placement)) {
    document["allows_repeats"] = true;
  }
  document["layers"] = ordered_json::array();
  for (std::size_t layer = 0; layer < placement.layers.size(); ++layer) {
    const LayerPlacement& slots = placement.layers[layer];
    document["layers"].push_back({{"layer", input.layers[layer]},
                                  {"slot_to_expert", slots.slot_to_expert},
                                  {"slot_to_rank", slots.slot_to_rank},
                                  {"shards", slots.shards}});
  }
  return document.dump() + "\n";
}

std::string eplb_text(const Placement& placement, const PlacementInput& input) {
  const auto rows = even_slots(placement, input);
  std::size_t most = 1;
  std::vector<std::vector<std::vector<std::int64_t>>> slots_of;
  for (const auto& row : rows) {
    auto& of_layer = slots_of.emplace_back(input.experts);
    for (std::size_t slot = 0; slot < row.size(); ++slot) {
      auto& of_expert = of_layer[static_cast<std::size_t>(row[slot])];
      of_expert.push_back(static_cast<std::int64_t>(slot));
      most = std::max(most, of_expert.size());
    }
  }
  ordered_json counts = ordered_json::array();
  for (auto& of_layer : slots_of) {
    ordered_json of_row = ordered_json::array();
    for (auto& of_expert : of_layer) {
      of_row.push_back(of_expert.size());
      of_expert.resize(most, -1);  // padded as EPLB pads
    }
    counts.push_back(std::move(of_row));
  }
  return ordered_json{{"phy2log", rows}, {"log2phy", slots_of}, {"logcnt", counts}}.dump() + "\n";
}

std::string tensorrt_llm_text(const Placement& placement, const PlacementInput& input) {
  const auto rows = even_slots(placement, input);
  std::string text = fmt::format("num_slots: {}\ninitial_global_assignments:\n",
                                 rows.empty() ? 0 : rows.front().size());
  for (std::size_t layer = 0; layer < rows.size(); ++layer) {
    text += fmt::format("  {}: [{}]\n", input.layers[layer], fmt::join(rows[layer], ", "));
  }
  return text + "layer_updates_per_iter: 0\n";
}

std::string csv_text(const Placement& placement, const PlacementInput& input) {
  std::string text = "rank,moe_layer,experts\n";
  for (std::size_t layer = 0; layer < placement.layers.size(); ++layer) {
    const LayerPlacement& from = placement.layers[layer];
    std::vector<std::set<std::int32_t>> by_rank(input.ranks);
    for (std::size_t slot = 0; slot < from.slot_to_rank.size(); ++slot) {
      by_rank[static_cast<std::size_t>(from.slot_to_rank[slot])].insert(from.slot_to_expert[slot]);
    }
    for (std::size_t rank = 0; rank < input.ranks; ++rank) {
      if (by_rank[rank].empty() || from.shards != 1) {
        throw InvalidInput(fmt::format("layer {}: a table cannot say that rank {} holds {}",
                                       input.layers[layer],
                                       rank,
                                       from.shards == 1 ? "nothing" : "parts of experts"),
                           {"--placement-out", ""},
                           "write .json");
      }
      text += fmt::format("{},{},{}\n", rank, input.layers[layer], fmt::join(by_rank[rank], " "));
    }
  }
  return text;
}

}  // namespace

PlacementFormat placement_format_of(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".eplb.json")) {
    return PlacementFormat::Eplb;
  }
  if (name.ends_with(".json")) {
    return PlacementFormat::Json;
  }
  if (name.ends_with(".yaml") || name.ends_with(".yml")) {
    return PlacementFormat::TensorRtLlm;
  }
  if (name.ends_with(".csv")) {
    return PlacementFormat::Csv;
  }
  throw InvalidInput("does not tell in which format to write",
                     {path.string(), ""},
                     "end its name in .json, .eplb.json (EPLB), .yaml (TensorRT-LLM) or .csv");
}

std::string placement_text(const Placement& placement,
                           const PlacementInput& input,
                           PlacementFormat format) {
  switch (format) {
    case PlacementFormat::Eplb:
      return eplb_text(placement, input);
    case PlacementFormat::TensorRtLlm:
      return tensorrt_llm_text(placement, input);
    case PlacementFormat::Csv:
      return csv_text(placement, input);
    default:
      return own_text(placement, input);
  }
}

}  // namespace switchyard

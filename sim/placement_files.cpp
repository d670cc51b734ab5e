#include "sim/placement_files.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "core/files/json_file.hpp"
#include "core/files/text_reader.hpp"
#include "traces/reading/placement_table.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

std::vector<std::int32_t> whole_numbers(const json& list, const Location& where) {
  if (!list.is_array()) {
    throw InvalidInput("wanted a list of whole numbers", where);
  }
  std::vector<std::int32_t> numbers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const json& value = list[i];
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
        value.get<std::int64_t>() >= kMostExperts) {
      throw InvalidInput(fmt::format("{} is no index", value.dump()), where.child(i));
    }
    numbers.push_back(value.get<std::int32_t>());
  }
  return numbers;
}

std::int64_t count_at(const json& document, const char* key, const Location& where) {
  const json value = document.value(key, json());
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
      value.get<std::int64_t>() > kMostExperts) {
    throw InvalidInput(fmt::format("{} should be a count", key), where.child(key));
  }
  return value.get<std::int64_t>();
}

StoredPlacement read_own(const json& document, StoredPlacement stored) {
  const Location& where = stored.where;
  if (document.value("format_version", json()) != kPlacementFormatVersion) {
    throw InvalidInput(fmt::format("wanted format_version {}", kPlacementFormatVersion),
                       where.child("format_version"));
  }
  stored.allows_repeats = document.value("allows_repeats", json(false)) == true;
  stored.experts = count_at(document, "experts", where);
  stored.ranks = count_at(document, "ranks", where);
  const json layers = document.value("layers", json());
  const Location place = where.child("layers");
  if (!layers.is_array() || layers.empty()) {
    throw InvalidInput("wanted a list of layers", place);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const json& layer = layers[i];
    const Location at = place.child(i);
    if (!layer.is_object() || !layer.contains("slot_to_expert") ||
        !layer.contains("slot_to_rank") || !layer.value("layer", json()).is_number_unsigned()) {
      throw InvalidInput("wanted layer, slot_to_expert and slot_to_rank", at);
    }
    stored.layers.push_back(layer["layer"].get<std::int64_t>());
    if (i > 0 && stored.layers[i] <= stored.layers[i - 1]) {
      throw InvalidInput("layers should ascend", at.child("layer"));
    }
    const json shards = layer.value("shards", json(1));
    if (shards != 1 && shards != stored.ranks) {
      throw InvalidInput(fmt::format("experts are whole (1) or cut over all {} ranks, not over {}",
                                     stored.ranks,
                                     shards.dump()),
                         at.child("shards"));
    }
    LayerPlacement& slots = stored.placement.layers.emplace_back();
    slots.slot_to_expert = whole_numbers(layer["slot_to_expert"], at.child("slot_to_expert"));
    slots.slot_to_rank = whole_numbers(layer["slot_to_rank"], at.child("slot_to_rank"));
    slots.shards = shards.get<std::int32_t>();
    if (slots.slot_to_expert.size() != slots.slot_to_rank.size()) {
      throw InvalidInput(fmt::format("{} experts for {} ranks: each slot has one of both",
                                     slots.slot_to_expert.size(),
                                     slots.slot_to_rank.size()),
                         at);
    }
  }
  return stored;
}

StoredPlacement read_eplb(const json& document, StoredPlacement stored) {
  stored.allows_repeats = true;
  const Location place = stored.where.child("phy2log");
  const json& rows = document["phy2log"];
  if (!rows.is_array() || rows.empty()) {
    throw InvalidInput("wanted [layers][slots]", place);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stored.layers.push_back(static_cast<std::int64_t>(i));
    stored.placement.layers.emplace_back().slot_to_expert = whole_numbers(rows[i], place.child(i));
  }
  if (document.contains("logcnt")) {
    const json& counts = document["logcnt"];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Location at = stored.where.child("logcnt").child(i);
      if (!counts.is_array() || counts.size() != rows.size()) {
        throw InvalidInput("wanted [layers][experts]", stored.where.child("logcnt"));
      }
      const std::vector<std::int32_t> said = whole_numbers(counts[i], at);
      std::vector<std::int32_t> found(said.size(), 0);
      for (const std::int32_t expert : stored.placement.layers[i].slot_to_expert) {
        if (static_cast<std::size_t>(expert) < found.size()) {
          ++found[static_cast<std::size_t>(expert)];
        }
      }
      const auto differs = std::mismatch(said.begin(), said.end(), found.begin());
      if (differs.first != said.end()) {
        throw InvalidInput(fmt::format("expert {} has {} copies here and {} in phy2log",
                                       differs.first - said.begin(),
                                       *differs.first,
                                       *differs.second),
                           at);
      }
    }
  }
  return stored;
}

StoredPlacement read_json_placement(const std::filesystem::path& path) {
  StoredPlacement stored{.where = {path.string(), "#"}};
  const json document = read_json_file(path);
  if (!document.is_object()) {
    throw InvalidInput("is no placement: wanted a JSON object", stored.where);
  }
  return document.contains("phy2log") ? read_eplb(document, std::move(stored))
                                      : read_own(document, std::move(stored));
}

StoredPlacement read_tensorrt_llm(const std::filesystem::path& path) {
  StoredPlacement stored{.where = {path.string(), ""}, .allows_repeats = true};
  try {
    const YAML::Node document = YAML::Load(read_text_file(path));
    const YAML::Node rows =
        document.IsMap() ? document["initial_global_assignments"] : YAML::Node();
    if (!rows || !rows.IsMap() || rows.size() == 0) {
      throw InvalidInput("holds no initial_global_assignments {layer: [slots]}", stored.where);
    }
    const YAML::Node slots = document["num_slots"];
    std::map<std::int64_t, std::vector<std::int32_t>> by_layer;
    for (const auto& row : rows) {
      const auto layer = row.first.as<std::int64_t>();
      const auto experts = row.second.as<std::vector<std::int32_t>>();
      const Location at{path.string(), fmt::format("layer {}", layer)};
      if (layer < 0 || !by_layer.emplace(layer, experts).second) {
        throw InvalidInput("cannot be, or comes twice", at);
      }
      if (slots && experts.size() != slots.as<std::size_t>()) {
        throw InvalidInput(
            fmt::format(
                "{} slots where num_slots says {}", experts.size(), slots.as<std::size_t>()),
            at);
      }
      if (std::any_of(experts.begin(), experts.end(), [](auto expert) {
            return expert < 0 || expert >= kMostExperts;
          })) {
        throw InvalidInput("an expert is no index", at);
      }
    }
    for (auto& [layer, experts] : by_layer) {
      stored.layers.push_back(layer);
      stored.placement.layers.emplace_back().slot_to_expert = std::move(experts);
    }
  } catch (const YAML::Exception& problem) {
    throw InvalidInput(problem.msg, {path.string(), fmt::format("line {}", problem.mark.line + 1)});
  }
  return stored;
}

StoredPlacement read_csv(const std::filesystem::path& path) {
  const PlacementTable table = read_placement_table(path);
  StoredPlacement stored{.where = table.where,
                         .experts = table.experts,
                         .ranks = table.ranks,
                         .layers = table.layers,
                         .placement = {}};
  for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
    LayerPlacement& slots = stored.placement.layers.emplace_back();
    for (const PlacementRow& row : table.layer_rows(layer)) {
      for (const std::int32_t expert : row.experts) {
        slots.slot_to_expert.push_back(expert);
        slots.slot_to_rank.push_back(static_cast<std::int32_t>(row.rank));
      }
    }
  }
  return stored;
}

void check_sizes(const StoredPlacement& stored, const PlacementInput& input) {
  const auto differs = [](std::int64_t in_file, std::size_t wanted) {
    return in_file != 0 && std::cmp_not_equal(in_file, wanted);
  };
  if (differs(stored.ranks, input.ranks) || differs(stored.experts, input.experts)) {
    throw InvalidInput(fmt::format("places {} experts on {} ranks; the scenario has {} on {}",
                                   stored.experts,
                                   stored.ranks,
                                   input.experts,
                                   input.ranks),
                       stored.where,
                       fmt::format("simulate --ranks {}, or choose another file", stored.ranks));
  }
  if (stored.layers.size() < input.layers.size()) {
    throw InvalidInput(
        fmt::format(
            "places {} layers; the trace has {}", stored.layers.size(), input.layers.size()),
        stored.where);
  }
}

void deal_slots(LayerPlacement& slots, const PlacementInput& input, const Location& where) {
  const std::size_t count = slots.slot_to_expert.size();
  if (count % input.ranks != 0) {
    throw InvalidInput(fmt::format("{} slots do not divide over {} ranks", count, input.ranks),
                       where);
  }
  for (std::size_t slot = 0; slot < count; ++slot) {
    slots.slot_to_rank.push_back(static_cast<std::int32_t>(slot / (count / input.ranks)));
  }
}

void check_layer(const LayerPlacement& slots,
                 const PlacementInput& input,
                 bool may_repeat,
                 const Location& where) {
  std::vector<bool> has_slot(input.experts, false);
  std::set<std::pair<std::int32_t, std::int32_t>> seen;
  for (std::size_t slot = 0; slot < slots.slot_to_expert.size(); ++slot) {
    const auto expert = static_cast<std::size_t>(slots.slot_to_expert[slot]);
    const auto rank = static_cast<std::size_t>(slots.slot_to_rank[slot]);
    if (expert >= input.experts || rank >= input.ranks) {
      throw InvalidInput(fmt::format("slot {} puts expert {} on rank {}; the scenario has {} "
                                     "experts on {} ranks",
                                     slot,
                                     expert,
                                     rank,
                                     input.experts,
                                     input.ranks),
                         where);
    }
    has_slot[expert] = true;
    if (!seen.emplace(slots.slot_to_expert[slot], slots.slot_to_rank[slot]).second && !may_repeat) {
      throw InvalidInput(fmt::format("expert {} twice on rank {}", expert, rank), where);
    }
  }
  const auto missing = std::find(has_slot.begin(), has_slot.end(), false);
  if (missing != has_slot.end()) {
    throw InvalidInput(
        fmt::format("expert {} of {} is on no rank", missing - has_slot.begin(), input.experts),
        where);
  }
}

}  // namespace

StoredPlacement read_placement(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".json") {
    return read_json_placement(path);
  }
  if (extension == ".yaml" || extension == ".yml") {
    return read_tensorrt_llm(path);
  }
  return read_csv(path);
}

Placement fit_placement(const StoredPlacement& stored, const PlacementInput& input) {
  check_sizes(stored, input);
  Placement placement;
  for (std::size_t i = 0; i < input.layers.size(); ++i) {
    // A file that names the trace's layers is matched by name, any other in order.
    const auto named =
        std::lower_bound(stored.layers.begin(), stored.layers.end(), input.layers[i]);
    const bool is_named = std::includes(
        stored.layers.begin(), stored.layers.end(), input.layers.begin(), input.layers.end());
    const auto at = is_named ? static_cast<std::size_t>(named - stored.layers.begin()) : i;
    LayerPlacement slots = stored.placement.layers[at];
    const Location where{stored.where.file, fmt::format("layer {}", stored.layers[at])};
    if (stored.ranks == 0) {
      deal_slots(slots, input, where);
    }
    check_layer(slots, input, stored.allows_repeats, where);
    placement.layers.push_back(std::move(slots));
  }
  return placement;
}

}  // namespace switchyard

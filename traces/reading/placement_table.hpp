// Expert placement tables as serving systems publish them: CSV `rank,moe_layer,experts`, the ids of
// the experts that a rank holds separated by spaces. Not routing: read for sim/placement.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace switchyard {

/// The slots of one rank in one layer, in the order of the file.
struct PlacementRow {
  std::int64_t layer = 0;
  std::int64_t rank = 0;
  std::vector<std::int32_t> experts;
};

struct PlacementTable {
  Location where;
  std::vector<PlacementRow> rows;    // by layer, then rank
  std::vector<std::int64_t> layers;  // ascending
  std::int64_t ranks = 0;            // highest rank + 1; every layer names every rank
  std::int64_t experts = 0;          // highest id + 1; every layer holds every expert

  /// Rows of layers[index], one per rank.
  [[nodiscard]] std::span<const PlacementRow> layer_rows(std::size_t index) const;
};

/// Plain or gzip. Throws InvalidInput naming the line: not a number, a rank twice in a layer, an
/// expert twice on a rank, or a layer in which a rank or an expert is missing.
PlacementTable read_placement_table(const std::filesystem::path& path);

}  // namespace switchyard

// Balanced packing: weighted items into packs of equally many items, heaviest first.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace switchyard {

/// Where each item went.
struct Packing {
  std::vector<std::size_t> pack;           // [items]
  std::vector<std::size_t> index_in_pack;  // [items] order of arrival
};

/// Graham's longest processing time rule with full packs closed: items in falling weight (equal
/// ones in order) each go to the lightest pack that has room; ties to the lower pack. Pack sizes
/// differ by one at most. With one item a pack, item i is pack i.
/// The packing of EPLB (deepseek-ai/EPLB, `balanced_packing`), weights in single precision as
/// there.
Packing pack_evenly(std::span<const float> weights, std::size_t packs);

}  // namespace switchyard

#include "sim/balancing/packing.hpp"

#include <algorithm>
#include <numeric>

#include "core/check.hpp"

namespace switchyard {

Packing pack_evenly(std::span<const float> weights, std::size_t packs) {
  SWITCHYARD_CHECK(packs > 0, "something to pack into");
  const std::size_t items = weights.size();
  Packing packing{std::vector<std::size_t>(items), std::vector<std::size_t>(items, 0)};
  if (items == packs) {
    std::iota(packing.pack.begin(), packing.pack.end(), std::size_t{0});
    return packing;
  }
  std::vector<std::size_t> order(items);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return weights[a] > weights[b];
  });
  const std::size_t smallest = items / packs;
  std::size_t larger_packs = items % packs;  // that may still take one item more
  std::vector<float> load(packs, 0);
  std::vector<std::size_t> count(packs, 0);
  for (const std::size_t item : order) {
    std::size_t lightest = packs;
    for (std::size_t pack = 0; pack < packs; ++pack) {
      const bool has_room = count[pack] < smallest || (count[pack] == smallest && larger_packs > 0);
      if (has_room && (lightest == packs || load[pack] < load[lightest])) {
        lightest = pack;
      }
    }
    larger_packs -= count[lightest] == smallest ? 1 : 0;
    packing.pack[item] = lightest;
    packing.index_in_pack[item] = count[lightest]++;
    load[lightest] += weights[item];
  }
  return packing;
}

}  // namespace switchyard

#include "sim/affinity/chain_swap.hpp"

#include <algorithm>

namespace switchyard {
namespace {

constexpr std::size_t kMostSwaps = 64;  // tried per layer

// Expert `from_a` goes to b and `from_b` to a.
struct Swap {
  std::size_t from_a = 0;
  std::size_t from_b = 0;
  std::int64_t alone = 0;      // crossings saved if nothing else moves
  std::int64_t best = 0;       // of the best stretch that ends here
  std::ptrdiff_t before = -1;  // its swap in the layer before, or -1
};

// Adds to gain[e] what expert e of a layer saves by going from its part, a or b, to the other one,
// as far as one neighbouring layer is concerned. Rows of `counts` are this layer's experts.
void add_gains(const Matrix<std::int64_t>& counts,
               const std::vector<std::int32_t>& here,
               const std::vector<std::int32_t>& neighbour,
               std::int32_t a,
               std::int32_t b,
               std::vector<std::int64_t>& gain) {
  for (std::size_t expert = 0; expert < here.size(); ++expert) {
    if (here[expert] != a && here[expert] != b) {
      continue;
    }
    const auto row = counts.row(expert);
    for (std::size_t other = 0; other < row.size(); ++other) {
      if (neighbour[other] == a || neighbour[other] == b) {
        gain[expert] += neighbour[other] == here[expert] ? -row[other] : row[other];
      }
    }
  }
}

std::vector<Swap> swaps_of(const std::vector<std::int32_t>& here,
                           const std::vector<std::int64_t>& gain,
                           std::int32_t a,
                           std::int32_t b) {
  std::vector<Swap> swaps;
  for (std::size_t i = 0; i < here.size(); ++i) {
    for (std::size_t j = 0; here[i] == a && j < here.size(); ++j) {
      if (here[j] == b) {
        swaps.push_back({.from_a = i, .from_b = j, .alone = gain[i] + gain[j]});
      }
    }
  }
  if (swaps.size() > kMostSwaps) {
    std::stable_sort(swaps.begin(), swaps.end(), [](const Swap& left, const Swap& right) {
      return left.alone > right.alone;
    });
    swaps.resize(kMostSwaps);
  }
  return swaps;
}

// What two swaps in consecutive layers save beyond what each saves alone: experts that move
// together never parted.
std::int64_t together(const Matrix<std::int64_t>& counts, const Swap& first, const Swap& second) {
  return 2 * (counts(first.from_a, second.from_a) + counts(first.from_b, second.from_b) -
              counts(first.from_a, second.from_b) - counts(first.from_b, second.from_a));
}

}  // namespace

bool swap_best_chain(const Transitions& transitions,
                     const std::vector<Matrix<std::int64_t>>& turned,
                     std::int32_t a,
                     std::int32_t b,
                     Parts& parts) {
  std::vector<std::vector<Swap>> swaps;
  std::size_t best_layer = 0;
  const Swap* best = nullptr;
  for (std::size_t layer = 0; layer < parts.size(); ++layer) {
    std::vector<std::int64_t> gain(parts[layer].size(), 0);
    if (layer > 0) {
      add_gains(turned[layer - 1], parts[layer], parts[layer - 1], a, b, gain);
    }
    if (layer + 1 < parts.size()) {
      add_gains(transitions.counts[layer], parts[layer], parts[layer + 1], a, b, gain);
    }
    swaps.push_back(swaps_of(parts[layer], gain, a, b));
    for (Swap& swap : swaps.back()) {
      swap.best = swap.alone;
      for (std::size_t i = 0; layer > 0 && i < swaps[layer - 1].size(); ++i) {
        const Swap& earlier = swaps[layer - 1][i];
        const std::int64_t sum =
            swap.alone + earlier.best + together(transitions.counts[layer - 1], earlier, swap);
        if (sum > swap.best) {
          swap.best = sum;
          swap.before = static_cast<std::ptrdiff_t>(i);
        }
      }
    }
  }
  for (std::size_t layer = 0; layer < swaps.size(); ++layer) {
    for (const Swap& swap : swaps[layer]) {
      if (swap.best > (best == nullptr ? 0 : best->best)) {
        best = &swap;
        best_layer = layer;
      }
    }
  }
  if (best == nullptr) {
    return false;
  }
  for (const Swap* swap = best;;
       swap = &swaps[best_layer][static_cast<std::size_t>(swap->before)]) {
    parts[best_layer][swap->from_a] = b;
    parts[best_layer][swap->from_b] = a;
    if (swap->before < 0) {
      return true;
    }
    --best_layer;
  }
}

}  // namespace switchyard

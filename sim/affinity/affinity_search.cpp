// The local search: exact moves on one layer or one tail of layers, repeated, with restarts.
#include <algorithm>
#include <functional>
#include <numeric>

#include "core/numbers/random.hpp"
#include "sim/affinity/affinity_placement.hpp"
#include "sim/affinity/chain_swap.hpp"
#include "sim/affinity/even_assignment.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kPurpose = 0x616666696e697479;  // "affinity"

class Search {
 public:
  Search(const Transitions& transitions, std::span<const std::size_t> sizes)
      : transitions_(transitions), sizes_(sizes), parts_(sizes.size()) {
    for (const Matrix<std::int64_t>& counts : transitions.counts) {
      Matrix<std::int64_t>& turned = turned_.emplace_back(counts.columns(), counts.rows());
      for (std::size_t i = 0; i < counts.rows(); ++i) {
        for (std::size_t p = 0; p < counts.columns(); ++p) {
          turned(p, i) = counts(i, p);
        }
      }
    }
    has_equal_sizes_ =
        std::adjacent_find(sizes.begin(), sizes.end(), std::not_equal_to<>()) == sizes.end();
  }

  // A random first layer, every further one optimal for the one before.
  [[nodiscard]] Parts start(RandomStream& random) const {
    Parts placed;
    for (std::size_t layer = 0; layer < transitions_.layer_count(); ++layer) {
      placed.push_back(shuffled(random));
      if (layer > 0) {
        Matrix<std::int64_t> gain(placed[layer].size(), parts_);
        add_gains(turned_[layer - 1], placed[layer - 1], gain);
        improve_assignment(gain, parts_, placed[layer]);
      }
    }
    return placed;
  }

  // To a placement that no re-assignment of a layer, re-labelling of a tail or exchange of two
  // experts a layer along a stretch of layers betters.
  void improve(Parts& placed) const {
    std::int64_t before = crossings(transitions_, placed);
    while (true) {
      for (std::size_t layer = 0; layer < placed.size(); ++layer) {
        improve_layer(placed, layer);
      }
      for (std::size_t i = placed.size(); i-- > 0;) {
        improve_layer(placed, i);
      }
      for (std::size_t layer = 1; has_equal_sizes_ && layer < placed.size(); ++layer) {
        relabel_tail(placed, layer);
      }
      const std::int64_t after = crossings(transitions_, placed);
      if (after >= before && !swap_chains(placed)) {
        return;
      }
      before = std::min(before, after);
    }
  }

  // Exchanges random experts in a few neighbouring layers.
  void kick(Parts& placed, RandomStream& random) const {
    const std::size_t experts = placed.front().size();
    const std::size_t span = 1 + random.index(std::min<std::size_t>(4, placed.size()));
    const std::size_t first = random.index(placed.size() - span + 1);
    const std::size_t a = random.index(parts_);
    const std::size_t b = random.index(parts_);
    for (std::size_t layer = first; layer < first + span; ++layer) {
      // Experts change sides between two parts, as many in one direction as in the other.
      for (std::size_t swaps = 0; swaps < 1 + experts / (4 * parts_); ++swaps) {
        swap_two(placed[layer], static_cast<std::int32_t>(a), static_cast<std::int32_t>(b), random);
      }
    }
  }

 private:
  // The best exchange through the layers for every pair of parts.
  bool swap_chains(Parts& placed) const {
    bool has_swapped = false;
    for (std::size_t a = 0; a < parts_; ++a) {
      for (std::size_t b = a + 1; b < parts_; ++b) {
        has_swapped = swap_best_chain(transitions_,
                                      turned_,
                                      static_cast<std::int32_t>(a),
                                      static_cast<std::int32_t>(b),
                                      placed) ||
                      has_swapped;
      }
    }
    return has_swapped;
  }

  [[nodiscard]] std::vector<std::int32_t> shuffled(RandomStream& random) const {
    std::vector<std::int32_t> part_of;
    for (std::size_t part = 0; part < parts_; ++part) {
      part_of.insert(part_of.end(), sizes_[part], static_cast<std::int32_t>(part));
    }
    for (std::size_t left = part_of.size(); left > 1; --left) {
      std::swap(part_of[left - 1], part_of[random.index(left)]);
    }
    return part_of;
  }

  static void swap_two(std::vector<std::int32_t>& part_of,
                       std::int32_t a,
                       std::int32_t b,
                       RandomStream& random) {
    const auto pick = [&](std::int32_t part) {
      std::size_t chosen = part_of.size();
      std::size_t seen = 0;
      for (std::size_t expert = 0; expert < part_of.size(); ++expert) {
        if (part_of[expert] == part && random.index(++seen) == 0) {
          chosen = expert;
        }
      }
      return chosen;
    };
    const std::size_t first = pick(a);
    const std::size_t second = pick(b);
    if (first < part_of.size() && second < part_of.size()) {
      std::swap(part_of[first], part_of[second]);
    }
  }

  // What each expert of a layer gains on each part, from one neighbouring layer; rows of `counts`
  // are this layer's experts.
  static void add_gains(const Matrix<std::int64_t>& counts,
                        const std::vector<std::int32_t>& neighbour,
                        Matrix<std::int64_t>& gain) {
    for (std::size_t expert = 0; expert < counts.rows(); ++expert) {
      const auto row = counts.row(expert);
      const auto gains = gain.row(expert);
      for (std::size_t other = 0; other < row.size(); ++other) {
        gains[static_cast<std::size_t>(neighbour[other])] += row[other];
      }
    }
  }

  void improve_layer(Parts& placed, std::size_t layer) const {
    Matrix<std::int64_t> gain(placed[layer].size(), parts_);
    if (layer > 0) {
      add_gains(turned_[layer - 1], placed[layer - 1], gain);
    }
    if (layer + 1 < placed.size()) {
      add_gains(transitions_.counts[layer], placed[layer + 1], gain);
    }
    improve_assignment(gain, parts_, placed[layer]);
  }

  // New names for the parts of all layers from `layer` on, the best for the cut before it.
  void relabel_tail(Parts& placed, std::size_t layer) const {
    Matrix<std::int64_t> flow(parts_, parts_);  // [label of the tail, part before]
    const Matrix<std::int64_t>& counts = transitions_.counts[layer - 1];
    for (std::size_t from = 0; from < counts.rows(); ++from) {
      const auto part = static_cast<std::size_t>(placed[layer - 1][from]);
      for (std::size_t to = 0; to < counts.columns(); ++to) {
        flow(static_cast<std::size_t>(placed[layer][to]), part) += counts(from, to);
      }
    }
    std::vector<std::int32_t> name(parts_);
    std::iota(name.begin(), name.end(), 0);
    improve_assignment(flow, parts_, name);
    for (std::size_t i = layer; i < placed.size(); ++i) {
      for (std::int32_t& part : placed[i]) {
        part = name[static_cast<std::size_t>(part)];
      }
    }
  }

  const Transitions& transitions_;
  std::span<const std::size_t> sizes_;
  std::size_t parts_;
  std::vector<Matrix<std::int64_t>> turned_;  // transposed counts
  bool has_equal_sizes_ = true;
};

}  // namespace

Parts search_affinity(const Transitions& transitions,
                      std::span<const std::size_t> sizes,
                      const AffinityOptions& options) {
  const Search search(transitions, sizes);
  Parts best;
  std::int64_t fewest = 0;
  for (std::int64_t start = 0; start < std::max<std::int64_t>(1, options.restarts); ++start) {
    RandomStream random(options.seed, {kPurpose, static_cast<std::uint64_t>(start)});
    Parts placed = search.start(random);
    search.improve(placed);
    std::int64_t count = crossings(transitions, placed);
    for (std::int64_t kick = 0; kick < options.kicks && sizes.size() > 1; ++kick) {
      Parts other = placed;
      search.kick(other, random);
      search.improve(other);
      const std::int64_t after = crossings(transitions, other);
      if (after <= count) {
        count = after;
        placed = std::move(other);
      }
    }
    if (best.empty() || count < fewest) {
      fewest = count;
      best = std::move(placed);
    }
  }
  return best;
}

}  // namespace switchyard

// Exact search for small layers, and the two-level composition.
#include "sim/affinity/affinity_placement.hpp"

#include <algorithm>
#include <numeric>

namespace switchyard {
namespace {

// Work of the exact search: pairs of partitions x experts x layers, at about 1e9 a second.
constexpr double kMostWork = 2e9;
constexpr std::size_t kMostPartitions = 20000;

// n! / (product of sizes!), as a double: it need not be exact to be too large.
double partition_count(std::span<const std::size_t> sizes) {
  double count = 1;
  std::size_t placed = 0;
  for (const std::size_t size : sizes) {
    for (std::size_t i = 1; i <= size; ++i) {
      count = count * static_cast<double>(++placed) / static_cast<double>(i);
    }
  }
  return count;
}

std::vector<std::vector<std::int32_t>> all_partitions(std::span<const std::size_t> sizes) {
  std::vector<std::int32_t> part_of;
  for (std::size_t part = 0; part < sizes.size(); ++part) {
    part_of.insert(part_of.end(), sizes[part], static_cast<std::int32_t>(part));
  }
  std::vector<std::vector<std::int32_t>> all;
  do {
    all.push_back(part_of);
  } while (std::next_permutation(part_of.begin(), part_of.end()));
  return all;
}

// Tokens that stay, by partition of the next layer, after `from` at this one.
void stays(const Matrix<std::int64_t>& counts,
           const std::vector<std::int32_t>& from,
           std::size_t parts,
           Matrix<std::int64_t>& gain) {
  std::fill(gain.values().begin(), gain.values().end(), 0);
  for (std::size_t i = 0; i < counts.rows(); ++i) {
    for (std::size_t p = 0; p < counts.columns(); ++p) {
      gain.values()[p * parts + static_cast<std::size_t>(from[i])] += counts(i, p);
    }
  }
}

// The sub-problem of the experts that lie on one node: transitions between them alone.
struct NodeProblem {
  std::vector<std::vector<std::size_t>> experts;  // [layers] ids on the node
  Transitions transitions;
};

NodeProblem restrict_to(const Transitions& transitions, const Parts& nodes, std::int32_t node) {
  NodeProblem problem;
  for (const std::vector<std::int32_t>& layer : nodes) {
    std::vector<std::size_t>& here = problem.experts.emplace_back();
    for (std::size_t expert = 0; expert < layer.size(); ++expert) {
      if (layer[expert] == node) {
        here.push_back(expert);
      }
    }
  }
  for (std::size_t layer = 0; layer < transitions.counts.size(); ++layer) {
    const auto& from = problem.experts[layer];
    const auto& to = problem.experts[layer + 1];
    Matrix<std::int64_t>& counts = problem.transitions.counts.emplace_back(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      for (std::size_t p = 0; p < to.size(); ++p) {
        counts(i, p) = transitions.counts[layer](from[i], to[p]);
      }
    }
  }
  return problem;
}

}  // namespace

Parts exact_affinity(const Transitions& transitions, std::span<const std::size_t> sizes) {
  const double partitions = partition_count(sizes);
  const auto experts =
      static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}));
  const auto layers = static_cast<double>(transitions.counts.size());
  if (partitions > static_cast<double>(kMostPartitions) ||
      partitions * partitions * experts * layers > kMostWork) {
    return {};
  }
  // The longest path through the layers; a node of the path is a whole partition of its layer.
  const std::vector<std::vector<std::int32_t>> all = all_partitions(sizes);
  const std::size_t parts = sizes.size();
  std::vector<std::int64_t> best(all.size(), 0);  // tokens that stayed so far, by last partition
  std::vector<std::vector<std::uint32_t>> came_from;
  for (const Matrix<std::int64_t>& counts : transitions.counts) {
    std::vector<std::int64_t> next(all.size(), -1);
    std::vector<std::uint32_t>& origin = came_from.emplace_back(all.size(), 0);
    Matrix<std::int64_t> gain(counts.columns(), parts);
    for (std::size_t from = 0; from < all.size(); ++from) {
      stays(counts, all[from], parts, gain);
      for (std::size_t to = 0; to < all.size(); ++to) {
        std::int64_t sum = best[from];
        for (std::size_t p = 0; p < all[to].size(); ++p) {
          sum += gain(p, static_cast<std::size_t>(all[to][p]));
        }
        if (sum > next[to]) {
          next[to] = sum;
          origin[to] = static_cast<std::uint32_t>(from);
        }
      }
    }
    best = std::move(next);
  }
  auto at = static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
  Parts placed(transitions.layer_count());
  for (std::size_t layer = placed.size(); layer-- > 0;) {
    placed[layer] = all[at];
    at = layer > 0 ? came_from[layer - 1][at] : at;
  }
  return placed;
}

Parts place_by_affinity(const Transitions& transitions,
                        std::span<const std::size_t> sizes,
                        const AffinityOptions& options) {
  Parts exact = exact_affinity(transitions, sizes);
  return exact.empty() ? search_affinity(transitions, sizes, options) : exact;
}

Parts place_by_two_levels(const Transitions& transitions,
                          std::span<const std::vector<std::size_t>> ranks_of_node,
                          std::span<const std::size_t> sizes,
                          const AffinityOptions& options) {
  std::vector<std::size_t> node_sizes;
  for (const auto& ranks : ranks_of_node) {
    node_sizes.push_back(0);
    for (const std::size_t rank : ranks) {
      node_sizes.back() += sizes[rank];
    }
  }
  const Parts nodes = place_by_affinity(transitions, node_sizes, options);
  Parts placed = nodes;
  for (std::size_t node = 0; node < ranks_of_node.size(); ++node) {
    const NodeProblem problem = restrict_to(transitions, nodes, static_cast<std::int32_t>(node));
    std::vector<std::size_t> rank_sizes;
    for (const std::size_t rank : ranks_of_node[node]) {
      rank_sizes.push_back(sizes[rank]);
    }
    const Parts inside = place_by_affinity(problem.transitions, rank_sizes, options);
    for (std::size_t layer = 0; layer < placed.size(); ++layer) {
      for (std::size_t i = 0; i < problem.experts[layer].size(); ++i) {
        placed[layer][problem.experts[layer][i]] = static_cast<std::int32_t>(
            ranks_of_node[node][static_cast<std::size_t>(inside[layer][i])]);
      }
    }
  }
  return placed;
}

}  // namespace switchyard

// Where experts go so that tokens stay put from layer to layer (ExFlow, arXiv 2401.08383, section
// IV): a balanced partition of every layer with the fewest crossings. The paper solves an integer
// programme; aggregated over tokens its objective is a minimum cut with parts of fixed size, and
// because a layer only touches its neighbours, one layer at a time can be solved exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/affinity/transitions.hpp"

namespace switchyard {

struct AffinityOptions {
  std::int64_t restarts = 12;  // independent starts; the best one wins
  std::int64_t kicks = 40;     // disturbances of each, kept when they end no worse
  std::uint64_t seed = 0;
};

/// Parts of `sizes` [parts], the same in every layer, chosen exactly if the layers have few enough
/// balanced partitions (a longest path through them), else by local search: every layer is
/// re-assigned optimally between its neighbours, every tail of layers re-labelled optimally and
/// experts exchanged along stretches of layers (Kernighan and Lin), until nothing improves; then
/// disturbed and improved again. Deterministic for a seed.
Parts place_by_affinity(const Transitions& transitions,
                        std::span<const std::size_t> sizes,
                        const AffinityOptions& options);

/// The local search alone, whatever the size.
Parts search_affinity(const Transitions& transitions,
                      std::span<const std::size_t> sizes,
                      const AffinityOptions& options);

/// The exact answer, or nothing if that would take more than about a second.
std::vector<std::vector<std::int32_t>> exact_affinity(const Transitions& transitions,
                                                      std::span<const std::size_t> sizes);

/// Nodes first, then the ranks inside each, so that what has to cross stays inside a node if it
/// can. `ranks_of_node` [nodes] ranks of each node, `sizes` [ranks] experts of each rank. Returns
/// ranks.
Parts place_by_two_levels(const Transitions& transitions,
                          std::span<const std::vector<std::size_t>> ranks_of_node,
                          std::span<const std::size_t> sizes,
                          const AffinityOptions& options);

}  // namespace switchyard

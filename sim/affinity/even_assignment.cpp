// One round costs items x parts + parts^3, for few parts far less than a flow over all items.
#include "sim/affinity/even_assignment.hpp"

#include <algorithm>
#include <limits>

namespace switchyard {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min() / 4;

// The best single move between any two parts.
struct Moves {
  Matrix<std::int64_t> gain;  // [parts, parts] of the best item that moves; kNever if none
  Matrix<std::size_t> item;   // [parts, parts]
};

Moves best_moves(const Matrix<std::int64_t>& gain,
                 std::size_t parts,
                 std::span<const std::int32_t> part_of) {
  Moves moves{Matrix<std::int64_t>(parts, parts, kNever), Matrix<std::size_t>(parts, parts)};
  for (std::size_t item = 0; item < part_of.size(); ++item) {
    const auto from = static_cast<std::size_t>(part_of[item]);
    const auto gains = gain.row(item);
    for (std::size_t to = 0; to < parts; ++to) {
      if (to != from && gains[to] - gains[from] > moves.gain(from, to)) {
        moves.gain(from, to) = gains[to] - gains[from];
        moves.item(from, to) = item;
      }
    }
  }
  return moves;
}

// A cycle of moves with positive gain, its parts in order, or nothing. Bellman and Ford's longest
// paths from everywhere at once: whoever still improves after as many rounds as there are parts
// hangs on such a cycle.
std::vector<std::size_t> gaining_cycle(const Moves& moves, std::size_t parts) {
  std::vector<std::int64_t> best(parts, 0);
  std::vector<std::size_t> before(parts, parts);
  std::size_t improved = parts;
  for (std::size_t round = 0; round < parts; ++round) {
    improved = parts;
    for (std::size_t from = 0; from < parts; ++from) {
      for (std::size_t to = 0; to < parts; ++to) {
        const std::int64_t gain = moves.gain(from, to);
        if (gain != kNever && best[from] + gain > best[to]) {
          best[to] = best[from] + gain;
          before[to] = from;
          improved = to;
        }
      }
    }
    if (improved == parts) {
      return {};
    }
  }
  std::size_t on_cycle = improved;
  for (std::size_t i = 0; i < parts; ++i) {
    on_cycle = before[on_cycle];
  }
  std::vector<std::size_t> cycle;
  std::size_t at = on_cycle;
  do {
    cycle.push_back(at);
    at = before[at];
  } while (at != on_cycle);
  std::reverse(cycle.begin(), cycle.end());
  return cycle;
}

}  // namespace

void improve_assignment(const Matrix<std::int64_t>& gain,
                        std::size_t parts,
                        std::span<std::int32_t> part_of) {
  while (true) {
    const Moves moves = best_moves(gain, parts, part_of);
    const std::vector<std::size_t> cycle = gaining_cycle(moves, parts);
    if (cycle.empty()) {
      return;
    }
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const std::size_t to = cycle[(i + 1) % cycle.size()];
      part_of[moves.item(cycle[i], to)] = static_cast<std::int32_t>(to);
    }
  }
}

}  // namespace switchyard

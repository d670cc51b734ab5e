// Random fabrics and traffic for comparing networks, made from a few numbers so that a failing case
// can be shrunk and reported.
#pragma once

#include <cstdint>

#include "sim/network/network.hpp"

namespace switchyard::testing {

struct RandomProblem {
  int fabric = 0;  // 0 star, 1 unequal nodes with NICs, 2 spread and 3 hashed dumb-bell, 4 mesh
  int ranks = 4;
  int skew = 1;    // spread of the sizes: log-normal with sigma = skew / 2
  int one_in = 1;  // one pair in this many exchanges anything
  std::uint64_t seed = 0;
};

Fabric random_fabric(const RandomProblem& problem);

/// All pairs, log-normal sizes around 64 KiB, one transfer a pair.
Schedule random_exchange(const RandomProblem& problem);

/// The same traffic with some transfers waiting for earlier ones into their source.
Schedule random_forwarding(const RandomProblem& problem);

}  // namespace switchyard::testing

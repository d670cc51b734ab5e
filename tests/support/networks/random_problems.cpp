#include "tests/support/networks/random_problems.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/numbers/random.hpp"
#include "sim/exchange/schedule_builder.hpp"
#include "tests/support/networks/fabrics.hpp"

namespace switchyard::testing {
namespace {

/// Switches in a ring with chords, GPUs of unequal rate on them: no tree, routes share odd parts.
Fabric mesh(const RandomProblem& problem) {
  RandomStream random(problem.seed, {3});
  Fabric::Parts parts{.name = "mesh", .path_seed = problem.seed};
  const auto cable = [&](std::size_t a, std::size_t b) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      parts.links.push_back({.name = std::to_string(from) + "->" + std::to_string(to),
                             .from = DeviceId(from),
                             .to = DeviceId(to),
                             .bandwidth = {1e9 * (1 + random.uniform())}});
    }
  };
  const auto ranks = static_cast<std::size_t>(problem.ranks);
  const std::size_t switches = 3 + random.index(4);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    parts.devices.push_back(
        {.name = "gpu" + std::to_string(rank), .kind = DeviceKind::Gpu, .node = NodeId(0)});
  }
  for (std::size_t k = 0; k < switches; ++k) {
    parts.devices.push_back({.name = "switch" + std::to_string(k), .kind = DeviceKind::Switch});
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    cable(rank, ranks + random.index(switches));
  }
  for (std::size_t k = 0; k < switches; ++k) {
    cable(ranks + k, ranks + (k + 1) % switches);
  }
  if (switches > 3) {
    cable(ranks, ranks + 2);
  }
  return Fabric(std::move(parts));
}

std::int64_t random_size(RandomStream& random, const RandomProblem& problem) {
  return 1 + static_cast<std::int64_t>(65536 * std::exp(0.5 * problem.skew * random.normal()));
}

}  // namespace

Fabric random_fabric(const RandomProblem& problem) {
  const auto ranks = static_cast<std::size_t>(problem.ranks);
  switch (problem.fabric) {
    case 0:
      return star({.ranks = ranks});
    case 1:
      return nodes({.gpus_per_node = {ranks / 2, 1, ranks - ranks / 2 - 1}, .is_uneven = true});
    case 2:
    case 3:
      return dumbbell({.ranks = ranks + ranks % 2,
                       .trunks = 1 + problem.seed % 3,
                       .trunk_rate = {1.7e9},
                       .policy = problem.fabric == 2 ? PathPolicy::Spread : PathPolicy::Hashed});
    default:
      return mesh(problem);
  }
}

Schedule random_exchange(const RandomProblem& problem) {
  RandomStream random(problem.seed, {1});
  const auto ranks = static_cast<std::size_t>(problem.ranks);
  Schedule schedule{.rank_count = ranks};
  for (std::size_t step = 1; step < ranks; ++step) {
    for (std::size_t source = 0; source < ranks; ++source) {
      const std::int64_t bytes = random_size(random, problem);
      if (random.index(static_cast<std::uint64_t>(problem.one_in)) == 0) {
        schedule.add(source, (source + step) % ranks, bytes);
      }
    }
  }
  return schedule;
}

Schedule random_forwarding(const RandomProblem& problem) {
  RandomStream random(problem.seed, {2});
  const Schedule plain = random_exchange(problem);
  ScheduleBuilder builder(plain.rank_count);
  for (std::uint32_t i = 0; i < plain.transfer_count(); ++i) {
    std::vector<std::uint32_t> after;
    for (std::uint32_t earlier = 0; earlier < i && after.size() < 2; ++earlier) {
      if (plain.destination[earlier] == plain.source[i] && random.index(4) == 0) {
        after.push_back(earlier);
      }
    }
    builder.add({.from = static_cast<std::size_t>(plain.source[i]),
                 .to = static_cast<std::size_t>(plain.destination[i]),
                 .bytes = plain.bytes[i],
                 .after = after,
                 .messages = static_cast<std::int64_t>(1 + random.index(3))});
  }
  return builder.take();
}

}  // namespace switchyard::testing

#include "sim/exchange/expert_ranks.hpp"

#include <algorithm>

#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

// The replica for a token on `source`, by distance alone.
std::int32_t nearest_of(std::span<const std::int32_t> holders,
                        std::size_t source,
                        const Fabric& fabric) {
  if (std::binary_search(holders.begin(), holders.end(), static_cast<std::int32_t>(source))) {
    return static_cast<std::int32_t>(source);
  }
  const NodeId home = fabric.node_of(RankId{source});
  std::vector<std::int32_t> on_node;
  std::copy_if(holders.begin(), holders.end(), std::back_inserter(on_node), [&](std::int32_t rank) {
    return fabric.node_of(RankId{rank}) == home;
  });
  return on_node.empty() ? holders[source % holders.size()] : on_node[source % on_node.size()];
}

}  // namespace

ReplicaChoice parse_replica_choice(std::string_view name, const Location& where) {
  const auto found = std::find(std::begin(kReplicaChoices), std::end(kReplicaChoices), name);
  if (found == std::end(kReplicaChoices)) {
    const std::vector<std::string> known(std::begin(kReplicaChoices), std::end(kReplicaChoices));
    throw InvalidInput("no replica choice is called \"" + std::string(name) + "\"",
                       where,
                       suggestion_hint(std::string(name), known));
  }
  return static_cast<ReplicaChoice>(found - std::begin(kReplicaChoices));
}

ExpertRanks::ExpertRanks(const LayerPlacement& placement,
                         std::size_t experts,
                         const Fabric& fabric,
                         std::size_t ranks,
                         ReplicaChoice choice)
    : experts_(experts), choice_(choice), shards_(placement.shards) {
  std::vector<std::vector<std::int32_t>> replicas(experts);
  for (std::size_t slot = 0; slot < placement.slot_to_expert.size(); ++slot) {
    replicas[static_cast<std::size_t>(placement.slot_to_expert[slot])].push_back(
        placement.slot_to_rank[slot]);
  }
  first_.push_back(0);
  for (auto& of_expert : replicas) {
    std::sort(of_expert.begin(), of_expert.end());
    // Two slots on one rank serve the rank's tokens alike.
    of_expert.erase(std::unique(of_expert.begin(), of_expert.end()), of_expert.end());
    is_replicated_ = is_replicated_ || of_expert.size() > 1;
    holders_.insert(holders_.end(), of_expert.begin(), of_expert.end());
    first_.push_back(holders_.size());
  }
  if (!is_replicated_) {
    return;
  }
  nearest_.resize(ranks * experts);
  for (std::size_t source = 0; source < ranks; ++source) {
    for (std::size_t expert = 0; expert < experts; ++expert) {
      nearest_[source * experts + expert] = nearest_of(holders_of(expert), source, fabric);
    }
  }
}

ReplicaCursor::ReplicaCursor(const ExpertRanks& expert_ranks, std::size_t ranks)
    : expert_ranks_(expert_ranks),
      turn_(expert_ranks.choice() == ReplicaChoice::RoundRobin ? ranks * expert_ranks.expert_count()
                                                               : 0),
      rows_of_rank_(ranks, 0) {}

std::int32_t ReplicaCursor::next(std::size_t source, std::size_t expert) {
  const std::span<const std::int32_t> holders = expert_ranks_.holders_of(expert);
  std::int32_t chosen = expert_ranks_.rank_of(source, expert);
  if (expert_ranks_.choice() == ReplicaChoice::RoundRobin) {
    // Sources start at different replicas, so that a lone token of each does not meet the others'.
    const std::uint32_t turn = turn_[source * expert_ranks_.expert_count() + expert]++;
    chosen = holders[(source + turn) % holders.size()];
  } else if (expert_ranks_.choice() == ReplicaChoice::LeastLoaded) {
    for (const std::int32_t rank : holders) {
      if (rows_of_rank_[static_cast<std::size_t>(rank)] <
          rows_of_rank_[static_cast<std::size_t>(chosen)]) {
        chosen = rank;
      }
    }
    ++rows_of_rank_[static_cast<std::size_t>(chosen)];
  }
  return chosen;
}

void ReplicaCursor::spread(std::size_t source,
                           std::size_t expert,
                           std::int64_t count,
                           std::span<std::int64_t> rows) {
  const std::span<const std::int32_t> holders = expert_ranks_.holders_of(expert);
  if (expert_ranks_.choice() == ReplicaChoice::Nearest || holders.size() == 1) {
    const auto rank = static_cast<std::size_t>(expert_ranks_.rank_of(source, expert));
    rows[rank] += count;
    rows_of_rank_[rank] += count;
    return;
  }
  const auto replicas = static_cast<std::int64_t>(holders.size());
  if (expert_ranks_.choice() == ReplicaChoice::RoundRobin) {
    for (std::int64_t i = 0; i < replicas; ++i) {
      const auto place = (static_cast<std::int64_t>(source) + i) % replicas;
      rows[static_cast<std::size_t>(holders[static_cast<std::size_t>(place)])] +=
          count / replicas + (i < count % replicas ? 1 : 0);
    }
    return;
  }
  // Least loaded: fill the holders up to a common level, lowest first.
  std::vector<std::int32_t> by_load(holders.begin(), holders.end());
  std::stable_sort(by_load.begin(), by_load.end(), [&](std::int32_t a, std::int32_t b) {
    return rows_of_rank_[static_cast<std::size_t>(a)] < rows_of_rank_[static_cast<std::size_t>(b)];
  });
  const auto load_of = [&](std::size_t i) -> std::int64_t& {
    return rows_of_rank_[static_cast<std::size_t>(by_load[i])];
  };
  std::size_t filled = 1;   // the first `filled` holders share what is poured in
  std::int64_t needed = 0;  // to lift them to the level of the next
  while (filled < by_load.size()) {
    const std::int64_t lift =
        (load_of(filled) - load_of(filled - 1)) * static_cast<std::int64_t>(filled);
    if (needed + lift > count) {
      break;
    }
    needed += lift;
    ++filled;
  }
  const std::int64_t level = load_of(filled - 1);
  const std::int64_t rest = count - needed;
  const auto sharers = static_cast<std::int64_t>(filled);
  for (std::size_t i = 0; i < filled; ++i) {
    const std::int64_t target =
        level + rest / sharers + (static_cast<std::int64_t>(i) < rest % sharers ? 1 : 0);
    rows[static_cast<std::size_t>(by_load[i])] += target - load_of(i);
    load_of(i) = target;
  }
}

}  // namespace switchyard

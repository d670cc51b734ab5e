#include "sim/replay/migration.hpp"

#include <algorithm>
#include <numeric>

#include "core/matrix.hpp"
#include "sim/expert_size.hpp"
#include "sim/replay/simulation.hpp"

namespace switchyard {
namespace {

using Holders = std::vector<std::vector<std::size_t>>;  // [experts] ascending ranks

Holders holders_of(const LayerPlacement& layer, std::size_t experts) {
  Holders holders(experts);
  for (std::size_t slot = 0; slot < layer.slot_to_expert.size(); ++slot) {
    holders[static_cast<std::size_t>(layer.slot_to_expert[slot])].push_back(
        static_cast<std::size_t>(layer.slot_to_rank[slot]));
  }
  for (auto& of_expert : holders) {
    std::sort(of_expert.begin(), of_expert.end());
    of_expert.erase(std::unique(of_expert.begin(), of_expert.end()), of_expert.end());
  }
  return holders;
}

// The copies to move, by pair of ranks.
class CopyPlan {
 public:
  CopyPlan(const Fabric& fabric, std::size_t ranks)
      : fabric_(fabric), copies_(ranks, ranks), sent_(ranks, 0) {}

  void fetch(std::size_t to, std::span<const std::size_t> holders) {
    const NodeId home = fabric_.node_of(RankId{to});
    const auto badness = [&](std::size_t rank) {
      return std::pair(fabric_.node_of(RankId{rank}) != home, sent_[rank]);
    };
    const std::size_t from =
        *std::min_element(holders.begin(), holders.end(), [&](std::size_t a, std::size_t b) {
          return badness(a) < badness(b);
        });
    ++copies_(from, to);
    ++sent_[from];
  }

  [[nodiscard]] Schedule schedule(std::int64_t copy_bytes) const {
    Schedule schedule;
    schedule.rank_count = sent_.size();
    for (std::size_t from = 0; from < sent_.size(); ++from) {
      for (std::size_t to = 0; to < sent_.size(); ++to) {
        const std::int64_t copies = copies_(from, to);
        if (copies > 0 && copy_bytes > 0) {
          schedule.add(from, to, copies * copy_bytes);
          schedule.messages.push_back(static_cast<std::int32_t>(copies));
        }
      }
    }
    return schedule;
  }

 private:
  const Fabric& fabric_;
  Matrix<std::int64_t> copies_;
  std::vector<std::int64_t> sent_;
};

// A step, or its expert compute alone where the trace gives no times of exchanges (L0).
std::optional<double> step_seconds(const TotalResult& total) {
  if (total.step_s || total.steps == 0) {
    return total.step_s;
  }
  return total.compute_s / static_cast<double>(total.steps);
}

}  // namespace

Schedule migration_schedule(const Placement& from,
                            const Placement& to,
                            const Fabric& fabric,
                            std::size_t ranks,
                            std::size_t experts,
                            std::int64_t copy_bytes,
                            std::size_t weightless) {
  CopyPlan plan(fabric, ranks);
  for (std::size_t layer = 0; layer < to.layers.size(); ++layer) {
    const Holders before = holders_of(from.layers[layer], experts);
    const Holders after = holders_of(to.layers[layer], experts);
    if (from.layers[layer].shards != to.layers[layer].shards) {
      throw InvalidInput(
          "moving from whole experts to experts cut over ranks, or back, is no "
          "migration that is priced",
          {"scenario", "#/placement"},
          "choose initial and name alike: both shard_all, or neither");
    }
    for (std::size_t expert = 0; expert + weightless < experts; ++expert) {
      for (const std::size_t rank : after[expert]) {
        if (!std::binary_search(before[expert].begin(), before[expert].end(), rank)) {
          plan.fetch(rank, before[expert]);
        }
      }
    }
  }
  return plan.schedule(copy_bytes);
}

std::vector<MigrationResult> price_migrations(const Scenario& scenario, const PlacementPlan& plan) {
  std::vector<MigrationResult> migrations;
  const auto epochs = plan.epochs();
  const auto experts = static_cast<std::size_t>(scenario.model.experts);
  for (std::size_t epoch = 1; epoch < epochs.size(); ++epoch) {
    const Placement& to = epochs[epoch].placement;
    const std::int64_t shards = to.layers.empty() ? 1 : to.layers.front().shards;
    const Schedule schedule =
        migration_schedule(epochs[epoch - 1].placement,
                           to,
                           *scenario.fabric,
                           scenario.ranks,
                           experts,
                           expert_size(scenario.model).private_bytes / shards,
                           static_cast<std::size_t>(scenario.model.zero_cost_experts));
    check_schedule(schedule);
    MigrationResult& result = migrations.emplace_back();
    result.step = epochs[epoch].first_step;
    result.copies =
        std::accumulate(schedule.messages.begin(), schedule.messages.end(), std::int64_t{0});
    for (const std::int64_t bytes : schedule.bytes) {
      result.bytes += static_cast<double>(bytes);
    }
    if (schedule.transfer_count() > 0) {
      const Timeline timeline =
          scenario.network->simulate(*scenario.fabric, schedule, scenario.network_options);
      result.time_s = timeline.makespan_s;
      result.lower_bound_s = timeline.lower_bound_s;
    }
  }
  return migrations;
}

ReplacementResult study_replacement(const Scenario& scenario,
                                    const PlacementPlan& plan,
                                    const SimulationResult& with,
                                    unsigned threads) {
  ReplacementResult study;
  study.migrations = price_migrations(scenario, plan);
  std::int64_t moves = 0;
  for (const MigrationResult& migration : study.migrations) {
    study.migration_s += migration.time_s;
    study.migration_bytes += migration.bytes;
    moves += migration.copies > 0 ? 1 : 0;
  }
  Scenario unmoved = scenario;
  unmoved.placement_use.keeps_initial = true;
  study.step_s = step_seconds(with.total);
  study.initial_step_s = step_seconds(simulate(unmoved, {.threads = threads}).total);
  if (study.step_s && study.initial_step_s && *study.step_s < *study.initial_step_s && moves > 0) {
    const double each = study.migration_s / static_cast<double>(moves);
    study.break_even_steps = each / (*study.initial_step_s - *study.step_s);
  }
  return study;
}

}  // namespace switchyard

// What it costs to move experts from one placement to another, and whether moving them pays.
#pragma once

#include <vector>

#include "sim/exchange/schedule.hpp"
#include "sim/replay/placement_plan.hpp"
#include "sim/replay/result.hpp"

namespace switchyard {

/// Every copy that `to` has and `from` has not is fetched from a rank that has the expert: one on
/// the same node if there is one, and of those the one that has sent least so far. One transfer per
/// pair of ranks, with as many messages as copies. `copy_bytes` is the weight of one expert (of its
/// part, where experts are cut over ranks); the last `weightless` experts move nothing.
Schedule migration_schedule(const Placement& from,
                            const Placement& to,
                            const Fabric& fabric,
                            std::size_t ranks,
                            std::size_t experts,
                            std::int64_t copy_bytes,
                            std::size_t weightless = 0);

/// All changes of placement of a run, each priced on the scenario's network with nothing else on
/// the fabric.
std::vector<MigrationResult> price_migrations(const Scenario& scenario, const PlacementPlan& plan);

/// The whole answer for a scenario with a period: its migrations, and a second replay that keeps
/// the initial placement. `step_s` is that of `with`, the finished first replay.
ReplacementResult study_replacement(const Scenario& scenario,
                                    const PlacementPlan& plan,
                                    const SimulationResult& with,
                                    unsigned threads);

}  // namespace switchyard

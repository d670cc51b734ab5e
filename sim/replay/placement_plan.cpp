#include "sim/replay/placement_plan.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "sim/expert_size.hpp"

namespace switchyard {
namespace {

// Selections by (step, layer, source rank), with ranks from a rule where the trace has none.
ExpertLoad count_by_rank(const RoutingTrace& trace, const RankAssignment& ranks) {
  ExpertLoad load;
  load.metadata = trace.metadata();
  load.where = trace.where();
  const std::size_t experts = trace.expert_count();
  std::vector<std::int64_t> counts;
  for (const StepLayer& step_layer : trace.step_layers()) {
    Matrix<std::int64_t> of_layer(ranks.rank_count(), experts);
    for (std::size_t position = 0; position < step_layer.chunks.size(); ++position) {
      const Chunk& chunk = trace.chunks()[step_layer.chunks[position]];
      const ExpertIds ids = trace.expert_ids(chunk);
      const std::vector<std::int32_t> of_rows = ranks.ranks_of(step_layer, position);
      for (std::size_t row = 0; row < of_rows.size(); ++row) {
        for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
          const std::int32_t id = ids.at(row, choice);
          if (id == kNoExpert) {
            continue;
          }
          if (id < 0 || static_cast<std::size_t>(id) >= experts) {
            throw_expert_out_of_range(trace, chunk, row, id);
          }
          ++of_layer(static_cast<std::size_t>(of_rows[row]), static_cast<std::size_t>(id));
        }
      }
      trace.release(chunk);
    }
    for (std::size_t rank = 0; rank < ranks.rank_count(); ++rank) {
      load.rows.push_back({step_layer.step, step_layer.layer, static_cast<std::int64_t>(rank)});
      const auto row = of_layer.row(rank);
      counts.insert(counts.end(), row.begin(), row.end());
    }
  }
  load.counts = Matrix<std::int64_t>(load.rows.size(), experts);
  std::copy(counts.begin(), counts.end(), load.counts.values().begin());
  return load;
}

// Owns what PlacementInput points at.
class Evidence {
 public:
  Evidence(const RoutingData& routing, const RankAssignment* ranks, PlacementEvidence wanted) {
    const auto* trace = std::get_if<RoutingTrace>(&routing);
    if (wanted == PlacementEvidence::None) {
      return;
    }
    if (wanted == PlacementEvidence::Tokens) {
      require_fidelity(fidelity_of(routing), Fidelity::Ids, "this placement");
      trace_ = trace;
    }
    if (trace == nullptr) {
      load_ = &std::get<ExpertLoad>(routing);
      if (wanted == PlacementEvidence::LoadsByRank) {
        require_fidelity(load_->fidelity(), Fidelity::CountsPerRank, "this placement");
      }
      return;
    }
    counted_ = wanted == PlacementEvidence::Loads ? count_selections(*trace, /*by_rank=*/false)
                                                  : count_by_rank(*trace, *ranks);
    load_ = &*counted_;
  }

  void fill(PlacementInput& input) const {
    input.load = load_;
    input.trace = trace_;
  }

 private:
  std::optional<ExpertLoad> counted_;
  const ExpertLoad* load_ = nullptr;
  const RoutingTrace* trace_ = nullptr;
};

std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> steps_and_layers(
    const RoutingData& routing) {
  std::set<std::int64_t> steps;
  std::set<std::int64_t> layers;
  if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
    for (const StepLayer& step_layer : trace->step_layers()) {
      steps.insert(step_layer.step);
      layers.insert(step_layer.layer);
    }
  } else {
    for (const LoadRow& row : std::get<ExpertLoad>(routing).rows) {
      steps.insert(row.step);
      layers.insert(row.layer);
    }
  }
  return {{steps.begin(), steps.end()}, {layers.begin(), layers.end()}};
}

}  // namespace

void check_memory(const Placement& placement, const Scenario& scenario) {
  const Bytes memory = scenario.placement_use.memory.count > 0 ? scenario.placement_use.memory
                                                               : scenario.device.memory;
  if (memory.count == 0) {
    return;
  }
  const ExpertSize size = expert_size(scenario.model);
  const auto first_free = static_cast<std::int32_t>(scenario.model.experts) -
                          static_cast<std::int32_t>(scenario.model.zero_cost_experts);
  std::vector<double> slots(scenario.ranks, 0);
  std::vector<double> shared(scenario.ranks, 0);
  bool has_replicas = false;
  for (const LayerPlacement& layer : placement.layers) {
    std::int64_t with_weights = 0;
    std::vector<bool> has_slot(scenario.ranks, false);
    for (std::size_t slot = 0; slot < layer.slot_to_rank.size(); ++slot) {
      const auto rank = static_cast<std::size_t>(layer.slot_to_rank[slot]);
      if (layer.slot_to_expert[slot] < first_free) {
        slots[rank] += 1.0 / layer.shards;
        has_slot[rank] = true;
        ++with_weights;
      }
    }
    for (std::size_t rank = 0; rank < scenario.ranks; ++rank) {
      shared[rank] += has_slot[rank] ? 1 : 0;
    }
    has_replicas = has_replicas || (layer.shards == 1 && with_weights > first_free);
  }
  if (!has_replicas) {
    return;  // the model itself does not fit: not this placement's doing
  }
  for (std::size_t rank = 0; rank < scenario.ranks; ++rank) {
    const double bytes = slots[rank] * static_cast<double>(size.private_bytes) +
                         shared[rank] * static_cast<double>(size.shared_bytes);
    if (bytes > static_cast<double>(memory.count)) {
      throw InvalidInput(
          fmt::format("replicas do not fit: rank {} would hold {:.0f} expert copies of {} over {} "
                      "layers, {} in all, but has {}",
                      rank,
                      slots[rank],
                      format_quantity(Bytes{size.private_bytes}),
                      placement.layers.size(),
                      format_quantity(Bytes{static_cast<std::int64_t>(bytes)}),
                      format_quantity(memory)),
          {"scenario", "#/placement"},
          "fewer replicas, more ranks, a smaller model.dtype, or placement.memory if there is "
          "more");
    }
  }
}

PlacementInput placement_input(const Scenario& scenario) {
  return {.experts = static_cast<std::size_t>(scenario.model.experts),
          .ranks = scenario.ranks,
          .layers = steps_and_layers(*scenario.routing).second,
          .fabric = scenario.fabric.get(),
          .zero_cost_experts = static_cast<std::size_t>(scenario.model.zero_cost_experts),
          .seed = scenario.seed};
}

PlacementPlan::PlacementPlan(const Scenario& scenario, const RankAssignment* ranks) {
  std::tie(steps_, layers_) = steps_and_layers(*scenario.routing);
  PlacementInput input = placement_input(scenario);
  std::optional<RankAssignment> own_ranks;
  const auto* trace = std::get_if<RoutingTrace>(scenario.routing.get());
  if (ranks == nullptr && trace != nullptr) {
    ranks = &own_ranks.emplace(*trace, scenario.rank_rule, scenario.ranks);
  }
  const Evidence evidence(*scenario.routing, ranks, scenario.placement->evidence());
  evidence.fill(input);
  scenario.placement_use.period == 0 ? place_once(scenario, input)
                                     : place_repeatedly(scenario, input);
  // Without source ranks (L0) nothing is near: copies share an expert's load evenly.
  const bool has_sources = fidelity_of(*scenario.routing) != Fidelity::Counts;
  const ReplicaChoice choice =
      scenario.placement_use.replicas == ReplicaChoice::Nearest && !has_sources
          ? ReplicaChoice::RoundRobin
          : scenario.placement_use.replicas;
  for (const PlacementEpoch& epoch : epochs_) {
    check_placement(epoch.placement, input);
    check_memory(epoch.placement, scenario);
    std::vector<ExpertRanks>& of_layers = expert_ranks_.emplace_back();
    for (const LayerPlacement& layer : epoch.placement.layers) {
      of_layers.emplace_back(layer, input.experts, *scenario.fabric, scenario.ranks, choice);
    }
  }
}

void PlacementPlan::place_once(const Scenario& scenario, PlacementInput& input) {
  epochs_.push_back({steps_.empty() ? 0 : steps_.front(), scenario.placement->place(input)});
}

void PlacementPlan::place_repeatedly(const Scenario& scenario, PlacementInput& input) {
  const PlacementUse& use = scenario.placement_use;
  epochs_.push_back({steps_.empty() ? 0 : steps_.front(), use.initial->place(input)});
  const auto count = static_cast<std::int64_t>(steps_.size());
  for (std::int64_t start = 0; start < count && !use.keeps_initial; start += use.period) {
    const std::int64_t newest = start - use.delay;
    if (newest < 0) {
      continue;  // nothing old enough to look at yet
    }
    const std::int64_t oldest =
        use.window == 0 ? 0 : std::max<std::int64_t>(0, newest - use.window + 1);
    input.steps = {steps_[static_cast<std::size_t>(oldest)],
                   steps_[static_cast<std::size_t>(newest)]};
    PlacementEpoch epoch{steps_[static_cast<std::size_t>(start)], scenario.placement->place(input)};
    if (start == 0) {
      epochs_.clear();  // an oracle needs no initial placement
    }
    epochs_.push_back(std::move(epoch));
  }
}

const ExpertRanks& PlacementPlan::at(std::int64_t step, std::int64_t layer) const {
  const auto after = std::upper_bound(
      epochs_.begin() + 1,
      epochs_.end(),
      step,
      [](std::int64_t wanted, const PlacementEpoch& epoch) { return wanted < epoch.first_step; });
  const auto place = std::lower_bound(layers_.begin(), layers_.end(), layer);
  return expert_ranks_[static_cast<std::size_t>(after - epochs_.begin() - 1)]
                      [static_cast<std::size_t>(place - layers_.begin())];
}

}  // namespace switchyard

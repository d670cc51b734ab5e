// Copies of the group all do the same at the same time, so one exchange of all of them is priced.
#include "sim/replay/step_exchanges.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "sim/expert_size.hpp"
#include "sim/replay/layer_pricing.hpp"

namespace switchyard {
namespace {

constexpr const char* kPipeline = "pipeline";

class StepPricer {
 public:
  StepPricer(const Scenario& scenario, const std::vector<LayerResult>& layers, TotalResult& total)
      : scenario_(scenario),
        groups_(scenario.groups),
        layers_(layers),
        total_(total),
        layers_per_step_(layers.size() / static_cast<std::size_t>(total.steps)) {}

  void price() {
    const double hop_s = price_hop();
    const double layers_s = *total_.step_s;
    const auto stages = static_cast<double>(groups_.pipeline);
    const auto batches = static_cast<double>(groups_.micro_batches);
    const double step_s =
        layers_s + (stages - 1) * hop_s + (batches - 1) * (slowest_stage_s() + hop_s);
    if (groups_.pipeline > 1) {
      total_.pipeline_bubble = std::max(0.0, 1 - batches * layers_s / stages / step_s);
    }
    total_.step_s = step_s;
    if (scenario_.pass != Pass::Forward) {
      price_gradients(step_s);
    }
  }

 private:
  // Mean over steps of the longest run of layers that one stage holds.
  [[nodiscard]] double slowest_stage_s() const {
    std::vector<double> stages(groups_.pipeline, 0.0);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const std::size_t place = std::min(i % layers_per_step_ * groups_.pipeline / layers_per_step_,
                                         groups_.pipeline - 1);
      stages[place] += layers_[i].layer_s.value_or(0) / static_cast<double>(total_.steps);
    }
    return *std::max_element(stages.begin(), stages.end());
  }

  // Activations of a micro-batch from the first stage to the second, and gradients back.
  double price_hop() {
    const std::vector<std::int64_t>& tokens = layers_.front().rank_tokens;
    if (groups_.pipeline < 2 || tokens.empty()) {
      return 0;
    }
    Schedule schedule{.rank_count = groups_.gpu_count()};
    for (std::size_t replica = 0; replica < groups_.data; ++replica) {
      for (std::size_t rank = 0; rank < groups_.ranks; ++rank) {
        schedule.add(groups_.gpu_of(0, replica, rank),
                     groups_.gpu_of(1, replica, rank),
                     tokens[rank] * scenario_.token_bytes.combine);
      }
    }
    const double passes = scenario_.pass == Pass::Training ? 2 : 1;
    StepExchange& hop = add(kPipeline, schedule);
    const auto hops = static_cast<double>(groups_.pipeline + groups_.micro_batches - 2);
    hop.exposed_s = passes * hops * hop.time_s;
    return passes * hop.time_s;
  }

  void price_gradients(double hiding_s) {
    add_gradients("dense_gradients", dense_groups());
    add_gradients("expert_gradients", expert_groups());
    for (StepExchange& exchange : total_.step_exchanges) {
      if (exchange.name == kPipeline) {
        continue;
      }
      // No more can be hidden than there is step to hide it in.
      const double hidden = std::min(groups_.gradient_overlap * exchange.time_s, hiding_s);
      hiding_s -= hidden;
      exchange.exposed_s = exchange.time_s - hidden;
      *total_.step_s += exchange.exposed_s;
    }
  }

  void add_gradients(const std::string& name, const std::vector<RingGroup>& groups) {
    const Schedule schedule = ring_allreduce(groups_.gpu_count(), groups);
    if (schedule.transfer_count() > 0) {
      add(name, schedule);
    }
  }

  // Ranks with the same place in their tensor-parallel group, over all copies of a stage.
  [[nodiscard]] std::vector<RingGroup> dense_groups() const {
    std::vector<RingGroup> rings(groups_.tensor);
    for (std::size_t replica = 0; replica < groups_.data; ++replica) {
      for (std::size_t rank = 0; rank < groups_.ranks; ++rank) {
        rings[rank % groups_.tensor].members.push_back(groups_.gpu_of(0, replica, rank));
      }
    }
    for (RingGroup& ring : rings) {
      ring.bytes = equal_parts(groups_.dense_gradients.count, ring.members.size());
    }
    return rings;
  }

  // The same rank of every copy; every rank of every copy where each of them holds all experts.
  [[nodiscard]] std::vector<RingGroup> expert_groups() const {
    const bool is_everywhere = scenario_.schedule->computes() == LayerSchedule::Computes::OwnTokens;
    const std::size_t stage_layers = (layers_per_step_ + groups_.pipeline - 1) / groups_.pipeline;
    const double all =
        static_cast<double>(scenario_.model.experts - scenario_.model.zero_cost_experts) *
        static_cast<double>(stage_layers) *
        static_cast<double>(expert_size(scenario_.model).private_bytes);
    const double held = is_everywhere ? all : all / static_cast<double>(groups_.ranks);
    std::vector<RingGroup> rings(is_everywhere ? 1 : groups_.ranks);
    for (std::size_t replica = 0; replica < groups_.data; ++replica) {
      for (std::size_t rank = 0; rank < groups_.ranks; ++rank) {
        rings[is_everywhere ? 0 : rank].members.push_back(groups_.gpu_of(0, replica, rank));
      }
    }
    for (RingGroup& ring : rings) {
      ring.bytes = equal_parts(static_cast<std::int64_t>(held), ring.members.size());
    }
    return rings;
  }

  StepExchange& add(const std::string& name, const Schedule& schedule) {
    check_schedule(schedule);
    NetworkOptions options = scenario_.network_options;
    options.start_offsets.clear();  // they are the first copy's
    const Timeline timeline = scenario_.network->simulate(*scenario_.fabric, schedule, options);
    StepExchange exchange{.name = name, .time_s = timeline.makespan_s};
    exchange.bytes = static_cast<double>(
        std::accumulate(schedule.bytes.begin(), schedule.bytes.end(), std::int64_t{0}));
    exchange.bottleneck_link = timeline.bottleneck_link;
    exchange.bound = exchange_bound(timeline, link_rates(*scenario_.fabric, options));
    total_.step_exchanges.push_back(std::move(exchange));
    return total_.step_exchanges.back();
  }

  const Scenario& scenario_;
  const ParallelGroups& groups_;
  const std::vector<LayerResult>& layers_;
  TotalResult& total_;
  std::size_t layers_per_step_;
};

}  // namespace

void add_step_exchanges(const Scenario& scenario,
                        const std::vector<LayerResult>& layers,
                        TotalResult& total) {
  const ParallelGroups& groups = scenario.groups;
  const bool has_gradients = scenario.pass != Pass::Forward &&
                             (groups.data > 1 || groups.dense_gradients.count > 0 ||
                              scenario.schedule->computes() == LayerSchedule::Computes::OwnTokens);
  if (layers.empty() || (groups.pipeline == 1 && groups.micro_batches == 1 && !has_gradients)) {
    return;
  }
  StepPricer(scenario, layers, total).price();
}

void add_schedule_notes(const Scenario& scenario,
                        Fidelity fidelity,
                        std::vector<std::string>& notes) {
  const bool wants_tokens = scenario.model.shared_experts > 0 || scenario.groups.tensor > 1 ||
                            scenario.other_work.attention.count() > 0 ||
                            scenario.other_work.other.count() > 0;
  if (wants_tokens && fidelity < Fidelity::Ids) {
    notes.emplace_back(
        "shared experts, attention and tensor-parallel exchanges are left out: counts do not say "
        "how many tokens start on each rank (L2 does)");
  }
  if (scenario.groups.pipeline > 1 || scenario.groups.data > 1) {
    notes.push_back(fmt::format(
        "{} data-parallel copies and {} pipeline stages of the expert-parallel group are taken to "
        "do the same; their exchanges are not priced against each other",
        scenario.groups.data,
        scenario.groups.pipeline));
  }
}

}  // namespace switchyard

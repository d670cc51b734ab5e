// Part of the all-to-all becomes an allgather inside the tensor-parallel group: a token crosses
// once to each group that wants it, to the rank with its own place there, and is then gathered by
// the group; partial sums come back the same way.
#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// LocMoE (Li et al., arXiv 2401.13920): "group-wise all-to-all", TP-domain allgather plus EP
/// all-to-all; with one group per node also the two-stage dispatch of DeepSpeed-TED.
class TensorGather final : public LayerSchedule {
 public:
  explicit TensorGather(Parameters& /*parameters*/) {}

  [[nodiscard]] bool counts_tensor_groups() const override { return true; }

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    const ParallelGroups& groups = context.groups;
    if (groups.tensor < 2) {
      throw InvalidInput(
          "schedule tensor_gather gathers inside tensor-parallel groups, but "
          "parallel.tensor is 1",
          {"scenario", "#/parallel/tensor"},
          "set parallel.tensor to the GPUs of a node, such as --set "
          "parallel.tensor=8");
    }
    if (context.traffic.unique_node_tokens.empty()) {
      throw MissingCapability("gathering in groups needs the expert ids of each token",
                              {},
                              "this input has counts or padded buffers: use a trace with token "
                              "ids (L2) and capacity dropless or drop");
    }
    std::vector<Stage> stages;
    stages.push_back(between_groups(context, Direction::Dispatch));
    stages.push_back(inside_groups(context, Direction::Dispatch));
    stages.push_back(routed_experts_stage(context));
    stages.push_back(inside_groups(context, Direction::Combine));
    stages.push_back(between_groups(context, Direction::Combine));
    return stages;
  }

 private:
  // Tokens from each rank to its counterpart in each group, by the scenario's algorithm.
  static Stage between_groups(const LayerContext& context, Direction direction) {
    const std::size_t ranks = context.groups.ranks;
    TrafficMatrix crossing{.copies = Matrix<std::int64_t>(ranks, ranks),
                           .unique_rank_tokens = {},
                           .unique_node_tokens = {},
                           .expert_rows = {},
                           .rank_tokens = context.traffic.rank_tokens};
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      for (std::size_t group = 0; group < context.groups.tensor_group_count(); ++group) {
        crossing.copies(rank, counterpart(context.groups, rank, group)) =
            context.traffic.unique_node_tokens(rank, group);
      }
    }
    return exchange_stage({.traffic = crossing,
                           .results = crossing,
                           .fabric = context.fabric,
                           .model = context.model,
                           .device = context.device,
                           .token_bytes = context.token_bytes,
                           .dispatch = context.dispatch,
                           .combine = context.combine,
                           .groups = context.groups,
                           .shards = context.shards,
                           .is_first_layer = context.is_first_layer,
                           .is_backward = context.is_backward},
                          direction);
  }

  // What each rank received, its own group's tokens among it, to the whole group or back.
  static Stage inside_groups(const LayerContext& context, Direction direction) {
    const std::size_t ranks = context.groups.ranks;
    std::vector<std::int64_t> received(ranks, 0);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      for (std::size_t group = 0; group < context.groups.tensor_group_count(); ++group) {
        received[counterpart(context.groups, rank, group)] +=
            context.traffic.unique_node_tokens(rank, group);
      }
    }
    const bool is_dispatch = direction == Direction::Dispatch;
    const std::int64_t each =
        is_dispatch ? context.token_bytes.dispatch : context.token_bytes.combine;
    const auto rings = tensor_groups(context.groups, times(received, each));
    return collective_stage(
        context,
        is_dispatch ? "expert_allgather" : "expert_reduce_scatter",
        is_dispatch ? ring_allgather(ranks, rings) : ring_reduce_scatter(ranks, rings));
  }

  static std::size_t counterpart(const ParallelGroups& groups,
                                 std::size_t rank,
                                 std::size_t group) {
    return group * groups.tensor + rank % groups.tensor;
  }
};

const Register<LayerSchedule, TensorGather> kTensorGather{
    "tensor_gather", "once to each tensor-parallel group, then an allgather inside it (LocMoE)"};

}  // namespace
}  // namespace switchyard

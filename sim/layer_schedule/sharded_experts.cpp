// Every expert is cut over all ranks along its inner width: all tokens go everywhere, partial sums
// come back. Neither bytes nor work depend on the routing.
#include <numeric>

#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// MoEShard (Balmau et al., EuroMLSys 2025). Per rank and layer: (G - 1) counts of E int32, and
/// twice (G - 1) tokens of h elements, for T tokens a rank.
class ShardedExperts final : public LayerSchedule {
 public:
  explicit ShardedExperts(Parameters& /*parameters*/) {}

  [[nodiscard]] Computes computes() const override { return Computes::AllTokens; }

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    constexpr std::int64_t kCountBytes = 4;
    const std::size_t ranks = context.groups.ranks;
    const std::vector<std::int64_t>& tokens = require_rank_tokens(context, "sharding experts");
    const auto everyone = [&](const std::vector<std::int64_t>& bytes) {
      RingGroup group{.members = std::vector<std::size_t>(ranks), .bytes = bytes};
      std::iota(group.members.begin(), group.members.end(), std::size_t{0});
      return std::vector<RingGroup>{std::move(group)};
    };
    std::vector<Stage> stages;
    if (!context.is_backward) {
      const std::vector<std::int64_t> counts(ranks, context.model.experts * kCountBytes);
      stages.push_back(
          collective_stage(context, "count_allgather", ring_allgather(ranks, everyone(counts))));
    }
    // The gradient of a reduce-scatter is an allgather and the other way round.
    stages.push_back(
        {.name = context.is_backward ? "combine_grad" : "dispatch",
         .kind = StageKind::Dispatch,
         .schedule = ring_allgather(ranks, everyone(times(tokens, context.token_bytes.dispatch))),
         .work = {}});
    stages.push_back(experts_stage(context, all_rows(context), static_cast<std::int64_t>(ranks)));
    stages.push_back({.name = context.is_backward ? "dispatch_grad" : "combine",
                      .kind = StageKind::Combine,
                      .schedule = ring_reduce_scatter(
                          ranks, everyone(times(tokens, context.token_bytes.combine))),
                      .work = {}});
    return stages;
  }

 private:
  // Rows of each expert over all ranks, [1, experts].
  static Matrix<std::int64_t> all_rows(const LayerContext& context) {
    const Matrix<std::int64_t>& rows = context.traffic.expert_rows;
    Matrix<std::int64_t> sums(1, rows.columns());
    for (std::size_t rank = 0; rank < rows.rows(); ++rank) {
      for (std::size_t expert = 0; expert < rows.columns(); ++expert) {
        sums(0, expert) += rows(rank, expert);
      }
    }
    clear_zero_cost(context.model, sums);
    return sums;
  }
};

const Register<LayerSchedule, ShardedExperts> kShardedExperts{
    "sharded_experts",
    "every expert on every rank in slices: allgather, reduce-scatter (MoEShard)"};

}  // namespace
}  // namespace switchyard

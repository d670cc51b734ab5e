// One all-to-all a layer: a token stays where its expert was, because every rank knows the context
// of every token. The price: all new tokens are gathered by all ranks once a step, and every rank
// holds the keys and values of all tokens (memory, which is not priced here).
#include "sim/layer_schedule.hpp"

namespace switchyard {
namespace {

/// ExFlow (Yao et al., IPDPS 2024). The paper has one expert per token; with more, a token moves to
/// the rank of its heaviest one, and the others' results follow it there in a combine.
class ContextCoherent final : public LayerSchedule {
 public:
  explicit ContextCoherent(Parameters& /*parameters*/) {}

  [[nodiscard]] bool tokens_move() const override { return true; }

  [[nodiscard]] std::vector<Stage> stages(const LayerContext& context) const override {
    std::vector<Stage> stages;
    const bool gathers = context.is_first_layer;
    if (gathers && !context.is_backward) {
      stages.push_back(context_gather(context));
    }
    const TrafficMatrix& first = context.is_backward ? context.results : context.traffic;
    const TrafficMatrix& second = context.is_backward ? context.traffic : context.results;
    add_moving(stages, exchange_stage(context, Direction::Dispatch), first);
    stages.push_back(routed_experts_stage(context));
    add_moving(stages, exchange_stage(context, Direction::Combine), second);
    if (gathers && context.is_backward) {
      stages.push_back(context_gather(context));
    }
    return stages;
  }

 private:
  // Every token to every rank; gradients of that are summed where the tokens came from.
  static Stage context_gather(const LayerContext& context) {
    const std::vector<std::int64_t>& tokens = require_rank_tokens(context, "gathering the context");
    RingGroup everyone;
    for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
      everyone.members.push_back(rank);
      everyone.bytes.push_back(tokens[rank] * context.token_bytes.dispatch);
    }
    return collective_stage(context,
                            "context_allgather",
                            context.is_backward ? ring_reduce_scatter(tokens.size(), {everyone})
                                                : ring_allgather(tokens.size(), {everyone}));
  }

  // Leaves an exchange out in which every token is where it is wanted.
  static void add_moving(std::vector<Stage>& stages, Stage&& stage, const TrafficMatrix& traffic) {
    for (std::size_t from = 0; from < traffic.copies.rows(); ++from) {
      for (std::size_t to = 0; to < traffic.copies.columns(); ++to) {
        if (from != to && traffic.copies(from, to) > 0) {
          stages.push_back(std::move(stage));
          return;
        }
      }
    }
  }
};

const Register<LayerSchedule, ContextCoherent> kContextCoherent{
    "context_coherent",
    "tokens stay with their experts: no combine, one allgather a step (ExFlow)"};

}  // namespace
}  // namespace switchyard

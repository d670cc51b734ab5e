// First inside the node, then between nodes: ranks of a node gather, for each rail, all that its
// ranks send to that rail of other nodes, so that one large message goes from node to node.
#include "sim/all_to_all.hpp"
#include "sim/exchange/node_layout.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// Tutel's two-dimensional hierarchical all-to-all (Hwang et al., "Tutel: Adaptive
/// Mixture-of-Experts at Scale", MLSys 2023; hierarchical all-to-all in DeepSpeed-MoE, ICML 2022).
/// Stage 2 of a rank starts when its stage 1 is through, as two library calls in a row would. A
/// rank index that a smaller node lacks wraps round.
class TwoLevel final : public AllToAll {
 public:
  explicit TwoLevel(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const NodeLayout layout(exchange.node_of_rank);
    const std::size_t ranks = bytes.rows();
    Matrix<std::int64_t> inside(ranks, ranks);   // stage 1: source to gatherer
    Matrix<std::int64_t> between(ranks, ranks);  // stage 2: gatherer to destination
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t destination = 0; destination < ranks; ++destination) {
        const std::size_t gatherer = layout.counterpart(destination, layout.node_of(source));
        inside(source, gatherer) += bytes(source, destination);
        between(gatherer, destination) += bytes(source, destination);
      }
    }
    ScheduleBuilder builder(ranks);
    std::vector<std::vector<std::uint32_t>> first_stage(ranks);  // sent or received by each
    for (std::size_t source = 0; source < ranks; ++source) {
      for (const std::size_t gatherer : layout.ranks_of(layout.node_of(source))) {
        if (const auto id =
                builder.add({.from = source, .to = gatherer, .bytes = inside(source, gatherer)})) {
          first_stage[source].push_back(*id);
          first_stage[gatherer].push_back(*id);
        }
      }
    }
    for (std::size_t gatherer = 0; gatherer < ranks; ++gatherer) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        const std::size_t destination = (gatherer + distance) % ranks;
        builder.add({.from = gatherer,
                     .to = destination,
                     .bytes = between(gatherer, destination),
                     .after = first_stage[gatherer]});
      }
    }
    return builder.take();
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, TwoLevel> kTwoLevel{
    "two_level", "gather inside the node by rail, then one message from node to node"};

}  // namespace
}  // namespace switchyard

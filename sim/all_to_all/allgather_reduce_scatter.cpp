// No routing on the wire at all: every rank gets every token and computes what its experts want;
// the results are summed on the way back. Costs the same whatever the routing.
#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// vLLM's "naive"/"allgather_reducescatter" back ends of expert parallelism, and tensor-parallel
/// style sharding of the experts: dispatch is a ring all-gather of the tokens, combine a ring
/// reduce-scatter (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
/// workstations", JPDC 2009, section 4). In step t a rank passes on the block it got in step t - 1.
class AllgatherReduceScatter final : public AllToAll {
 public:
  explicit AllgatherReduceScatter(Parameters& /*parameters*/) {}

  [[nodiscard]] Deduplication deduplication() const override { return Deduplication::None; }

  [[nodiscard]] bool sends_surplus() const override { return true; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const std::size_t ranks = exchange.rank_count();
    if (exchange.token_bytes.size() != ranks) {
      throw MissingCapability(
          "gathering every token needs the number of tokens that start on each rank",
          {},
          "this input has only bytes between ranks: choose another algorithm (--all-to-all "
          "direct)");
    }
    ScheduleBuilder builder(ranks);
    RoundOrder order(ranks);
    const std::size_t last = exchange.direction == Direction::Dispatch ? ranks : 0;
    for (std::size_t step = 1; step < ranks; ++step) {
      for (std::size_t holder = 0; holder < ranks; ++holder) {
        // A gathered block leaves its owner first; a summed block reaches its owner last.
        const std::size_t owner = (holder + ranks + (last > 0 ? 1 : 0) - step) % ranks;
        order.add(builder, holder, (holder + 1) % ranks, exchange.token_bytes[owner]);
      }
      order.end_round();
    }
    return builder.take();
  }
};

const Register<AllToAll, AllgatherReduceScatter> kAllgatherReduceScatter{
    "allgather_reduce_scatter", "every token to every rank and the sums back, round a ring"};

}  // namespace
}  // namespace switchyard

// Few, large messages: log2(ranks) rounds, each moving about half of all blocks 2^k places on.
// Wins when messages are so small that their number is what costs.
#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// Bruck, Ho, Kipnis, Upfal and Weathersby, "Efficient Algorithms for All-to-All Communications in
/// Multiport Message-Passing Systems", IEEE TPDS 1997, the index operation; with blocks of unequal
/// size as in Fan et al., "Optimizing the Bruck Algorithm for Non-uniform All-to-all
/// Communication", HPDC 2022. A block that has `distance` places to go moves in the rounds of that
/// number's bits.
class Bruck final : public AllToAll {
 public:
  explicit Bruck(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    ScheduleBuilder builder(ranks);
    RoundOrder order(ranks);
    for (std::size_t stride = 1; stride < ranks; stride *= 2) {
      for (std::size_t holder = 0; holder < ranks; ++holder) {
        std::int64_t moved = 0;
        for (std::size_t distance = stride; distance < ranks; ++distance) {
          if ((distance & stride) != 0) {
            const std::size_t travelled = distance & (stride - 1);
            const std::size_t origin = (holder + ranks - travelled) % ranks;
            moved += bytes(origin, (origin + distance) % ranks);
          }
        }
        order.add(builder, holder, (holder + stride) % ranks, moved);
      }
      order.end_round();
    }
    return builder.take();
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, Bruck> kBruck{"bruck", "log2(ranks) rounds of large messages"};

}  // namespace
}  // namespace switchyard

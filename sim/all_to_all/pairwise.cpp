// One partner at a time: in round s a rank sends to the rank s further on and receives from the
// rank s before, then goes on when both are done. No barrier: a fast pair may run ahead.
#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// MPICH's long-message all-to-all (Thakur, Rabenseifner and Gropp, "Optimization of Collective
/// Communication Operations in MPICH", 2005, section 4.3): ranks - 1 rounds of MPI_Sendrecv; the
/// partner is rank XOR round for a power of two, a rotation otherwise.
class Pairwise final : public AllToAll {
 public:
  explicit Pairwise(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    const bool is_power_of_two = (ranks & (ranks - 1)) == 0;
    ScheduleBuilder builder(ranks);
    RoundOrder order(ranks);
    for (std::size_t round = 1; round < ranks; ++round) {
      for (std::size_t source = 0; source < ranks; ++source) {
        const std::size_t destination = is_power_of_two ? source ^ round : (source + round) % ranks;
        order.add(builder, source, destination, bytes(source, destination));
      }
      order.end_round();
    }
    return builder.take();
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, Pairwise> kPairwise{
    "pairwise", "rounds of one partner each; a rank goes on when its send and receive are done"};

}  // namespace
}  // namespace switchyard

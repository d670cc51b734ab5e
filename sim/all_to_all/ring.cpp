// Everything travels round the ring: rank r only ever sends to r + 1, and each block is passed on
// until it is home. Moves each block up to ranks - 1 times, so it loses unless the fabric is a
// ring.
#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// Ring all-to-all (Grama, Gupta, Karypis and Kumar, "Introduction to Parallel Computing", 2nd ed.
/// 2003, section 4.5.1). In step t a rank passes on
/// what came from t - 1 places back and has further to go; a step waits for the step before.
class Ring final : public AllToAll {
 public:
  explicit Ring(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    // [ranks] bytes of each origin that travel at least `step` places.
    std::vector<std::int64_t> under_way(ranks, 0);
    for (std::size_t origin = 0; origin < ranks; ++origin) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        under_way[origin] += bytes(origin, (origin + distance) % ranks);
      }
    }
    ScheduleBuilder builder(ranks);
    RoundOrder order(ranks);
    for (std::size_t step = 1; step < ranks; ++step) {
      for (std::size_t origin = 0; origin < ranks; ++origin) {
        const std::size_t holder = (origin + step - 1) % ranks;
        const std::size_t next = (origin + step) % ranks;
        order.add(builder, holder, next, under_way[origin]);
        under_way[origin] -= bytes(origin, next);
      }
      order.end_round();
    }
    return builder.take();
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, Ring> kRing{"ring", "blocks travel from neighbour to neighbour"};

}  // namespace
}  // namespace switchyard

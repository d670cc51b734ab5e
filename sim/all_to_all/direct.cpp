// Everybody sends to everybody at once. Rank r starts with r + 1, so that the first messages of all
// ranks go to different places.
#include "sim/all_to_all.hpp"

namespace switchyard {
namespace {

/// MPICH's and NCCL's basic all-to-all: post every send, wait for all (Thakur, Rabenseifner and
/// Gropp, "Optimization of Collective Communication Operations in MPICH", 2005, section 4.3).
class Direct final : public AllToAll {
 public:
  explicit Direct(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    Schedule schedule{.rank_count = ranks};
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        const std::size_t destination = (source + distance) % ranks;
        schedule.add(source, destination, bytes(source, destination));
      }
    }
    return schedule;
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, Direct> kDirect{"direct", "every rank sends to every other at once"};

}  // namespace
}  // namespace switchyard

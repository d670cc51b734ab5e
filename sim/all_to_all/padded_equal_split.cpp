// Every block is padded to the largest one, so that a plain collective of equal parts can be used.
#include <algorithm>

#include "sim/all_to_all.hpp"

namespace switchyard {
namespace {

/// The all-to-all of capacity-padded frameworks (GShard, Lepikhin et al., ICLR 2021;
/// MPI_Alltoall rather than MPI_Alltoallv): all blocks, also of a rank to itself, have one size.
/// Sent as in `direct`.
class PaddedEqualSplit final : public AllToAll {
 public:
  explicit PaddedEqualSplit(Parameters& parameters)
      : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] bool sends_surplus() const override { return true; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    Schedule schedule{.rank_count = ranks};
    const std::int64_t block = bytes.empty() ? 0 : *std::ranges::max_element(bytes.values());
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        schedule.add(source, (source + distance) % ranks, block);
      }
    }
    return schedule;
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, PaddedEqualSplit> kPaddedEqualSplit{
    "padded_equal_split", "direct with every block padded to the largest"};

}  // namespace
}  // namespace switchyard

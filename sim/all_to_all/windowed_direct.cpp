// Direct, but a rank keeps only so many transfers in flight: the next starts when one is done.
#include "sim/all_to_all.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kMostChannels = 1 << 20;

/// NCCL's grouped send/recv: a group's point-to-point operations are dealt over a limited number of
/// channels, each of which works through its operations in order, partner r + 1 first (NVIDIA,
/// "NCCL user guide", group calls and NCCL_MAX_P2P_NCHANNELS). A window of k transfers per rank is
/// the model of k such channels.
class WindowedDirect final : public AllToAll {
 public:
  explicit WindowedDirect(Parameters& parameters)
      : deduplication_(get_deduplication(parameters)),
        channels_(static_cast<std::int32_t>(parameters.get_integer(
            "channels", 8, {1, kMostChannels}, "transfers that a rank keeps in flight at once"))) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = bytes.rows();
    Schedule schedule{.rank_count = ranks, .outstanding = channels_};
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
  std::int32_t channels_;
};

const Register<AllToAll, WindowedDirect> kWindowedDirect{
    "windowed_direct", "direct with a limited number of transfers in flight per rank"};

}  // namespace
}  // namespace switchyard

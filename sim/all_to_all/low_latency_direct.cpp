// Every (token, choice) is a message of its own, sent straight to the expert's rank at once.
// Moves more bytes than de-duplicating algorithms and pays per message, but has one hop only.
#include <algorithm>
#include <limits>

#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// DeepEP's low-latency kernels (deepseek-ai/DeepEP, README "Low-latency kernels"): pure RDMA puts,
/// one per token and expert, or NVLink stores where the fabric has a shorter way inside the node.
/// All messages of a pair of ranks are one transfer here that counts as that many messages, so
/// `message_overhead` and `message_gap` are charged for each.
class LowLatencyDirect final : public AllToAll {
 public:
  explicit LowLatencyDirect(Parameters& /*parameters*/) {}

  [[nodiscard]] Deduplication deduplication() const override { return Deduplication::None; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, Deduplication::None);
    const std::size_t ranks = bytes.rows();
    ScheduleBuilder builder(ranks);
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        const std::size_t destination = (source + distance) % ranks;
        const std::int64_t amount = bytes(source, destination);
        builder.add({.from = source,
                     .to = destination,
                     .bytes = amount,
                     .messages = messages_of(amount, exchange.bytes_per_row)});
      }
    }
    return builder.take();
  }

 private:
  /// A plain matrix has no rows: then a block is one message.
  static std::int64_t messages_of(std::int64_t bytes, std::int64_t bytes_per_row) {
    if (bytes_per_row <= 0 || bytes <= 0) {
      return 1;
    }
    const std::int64_t messages = (bytes - 1) / bytes_per_row + 1;
    return std::min<std::int64_t>(messages, std::numeric_limits<std::int32_t>::max());
  }
};

const Register<AllToAll, LowLatencyDirect> kLowLatencyDirect{
    "low_latency_direct", "a message per token and expert, all at once (DeepEP low latency)"};

}  // namespace
}  // namespace switchyard

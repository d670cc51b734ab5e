// Traffic to another node first crosses NVLink to the GPU of the destination's rail, so that it
// never crosses the spine between rails. Every block is passed on as soon as it has arrived.
#include "sim/all_to_all.hpp"
#include "sim/exchange/node_layout.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// NCCL's PXN, "PCIe x NVLink" (NVIDIA developer blog, "Doubling all2all performance with NVIDIA
/// Collective Communication Library 2.12", 2022). Modelled block by block: each (source,
/// destination) block waits for its own NVLink hop only, whole blocks at a time; NCCL forwards in
/// chunks, so the truth overlaps the two hops of one block as well.
class RailAligned final : public AllToAll {
 public:
  explicit RailAligned(Parameters& parameters) : deduplication_(get_deduplication(parameters)) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    const Matrix<std::int64_t>& bytes = bytes_to_move(exchange, deduplication_);
    const NodeLayout layout(exchange.node_of_rank);
    const std::size_t ranks = bytes.rows();
    ScheduleBuilder builder(ranks);

    struct Onward {
      std::size_t from;
      std::size_t to;
      std::int64_t bytes;
      std::uint32_t arrival;
    };

    std::vector<Onward> onward;
    for (std::size_t source = 0; source < ranks; ++source) {
      for (std::size_t distance = 1; distance < ranks; ++distance) {
        const std::size_t destination = (source + distance) % ranks;
        const std::size_t forwarder = layout.counterpart(destination, layout.node_of(source));
        const std::int64_t amount = bytes(source, destination);
        if (forwarder == source || forwarder == destination) {
          builder.add({.from = source, .to = destination, .bytes = amount});
        } else if (const auto id =
                       builder.add({.from = source, .to = forwarder, .bytes = amount})) {
          onward.push_back({forwarder, destination, amount, *id});
        }
      }
    }
    for (const Onward& hop : onward) {
      builder.add({.from = hop.from,
                   .to = hop.to,
                   .bytes = hop.bytes,
                   .after = std::span(&hop.arrival, 1)});
    }
    return builder.take();
  }

 private:
  Deduplication deduplication_;
};

const Register<AllToAll, RailAligned> kRailAligned{
    "rail_aligned", "over NVLink to the destination's rail, then through its NIC (PXN)"};

}  // namespace
}  // namespace switchyard

// A token crosses the network once per node, however many of its experts are there, and is copied
// inside the node over NVLink; on the way back the copies are added up before they cross.
#include <algorithm>

#include "sim/all_to_all.hpp"
#include "sim/exchange/node_layout.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kMostChunks = 1024;

/// The part of `total` that chunk `index` of `chunks` carries.
std::int64_t chunk_of(std::int64_t total, std::int64_t index, std::int64_t chunks) {
  const std::int64_t whole = total / chunks;
  return whole + (index < total % chunks ? 1 : 0);
}

/// A stream of chunks, each after the one before.
class Stream {
 public:
  /// `after` lists what this chunk waits for besides the chunk before.
  void add(ScheduleBuilder& builder, PlannedTransfer chunk, std::vector<std::uint32_t> after) {
    if (last_) {
      after.push_back(*last_);
    }
    chunk.after = after;
    if (const auto id = builder.add(chunk)) {
      last_ = id;
    }
  }

  /// The latest chunk there is, to wait for.
  void append_last(std::vector<std::uint32_t>& after) const {
    if (last_) {
      after.push_back(*last_);
    }
  }

 private:
  std::optional<std::uint32_t> last_;
};

/// DeepEP's normal kernels (deepseek-ai/DeepEP, README "Design" and internode kernels; DeepSeek-V3
/// technical report, arXiv 2412.19437, section 3.2.2): dispatch by RDMA to the GPU of the same
/// index on each destination node, then NVLink to the ranks that want the token; combine the other
/// way round, with the sum formed at the forwarder. Each stream is cut into chunks that are
/// forwarded as they arrive; DeepEP's are a few dozen tokens, far more than there is use in
/// modelling.
class NodeDedup final : public AllToAll {
 public:
  explicit NodeDedup(Parameters& parameters)
      : chunks_(parameters.get_integer("chunks",
                                       2,
                                       {1, kMostChunks},
                                       "pieces of each stream that are forwarded as they arrive; 1 "
                                       "= whole streams, more = more overlap and more work")) {}

  [[nodiscard]] Deduplication deduplication() const override { return Deduplication::PerNode; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    // Also refuses exchanges without tokens.
    const Matrix<std::int64_t>& rank_bytes = bytes_to_move(exchange, Deduplication::PerNode);
    const NodeLayout layout(exchange.node_of_rank);
    ScheduleBuilder builder(rank_bytes.rows());
    // Rotated, so that not every rank begins with node 0; own node first: it needs no NIC.
    for (std::size_t step = 0; step < layout.node_count(); ++step) {
      for (std::size_t token_rank = 0; token_rank < rank_bytes.rows(); ++token_rank) {
        const std::size_t node = (layout.node_of(token_rank) + step) % layout.node_count();
        if (step == 0) {
          add_inside(builder, exchange, layout, token_rank);
        } else if (!layout.ranks_of(node).empty()) {
          exchange.direction == Direction::Dispatch
              ? add_dispatch(builder, exchange, layout, {token_rank, node})
              : add_combine(builder, exchange, layout, {token_rank, node});
        }
      }
    }
    return builder.take();
  }

 private:
  /// The tokens of a rank and one of the nodes that hold their experts.
  struct Pair {
    std::size_t token_rank;
    std::size_t node;
  };

  static void add_inside(ScheduleBuilder& builder,
                         const Exchange& exchange,
                         const NodeLayout& layout,
                         std::size_t token_rank) {
    for (const std::size_t peer : layout.ranks_of(layout.node_of(token_rank))) {
      const bool is_dispatch = exchange.direction == Direction::Dispatch;
      const std::size_t from = is_dispatch ? token_rank : peer;
      const std::size_t to = is_dispatch ? peer : token_rank;
      builder.add({.from = from, .to = to, .bytes = exchange.rank_bytes(from, to)});
    }
  }

  void add_dispatch(ScheduleBuilder& builder,
                    const Exchange& exchange,
                    const NodeLayout& layout,
                    Pair pair) const {
    const std::size_t forwarder = layout.counterpart(pair.token_rank, pair.node);
    const std::span<const std::size_t> peers = layout.ranks_of(pair.node);
    Stream across;
    std::vector<Stream> copies(peers.size());
    for (std::int64_t chunk = 0; chunk < chunks_; ++chunk) {
      const std::int64_t bytes = exchange.node_bytes(pair.token_rank, pair.node);
      across.add(
          builder,
          {.from = pair.token_rank, .to = forwarder, .bytes = chunk_of(bytes, chunk, chunks_)},
          {});
      for (std::size_t i = 0; i < peers.size(); ++i) {
        std::vector<std::uint32_t> after;
        across.append_last(after);
        copies[i].add(
            builder,
            {.from = forwarder,
             .to = peers[i],
             .bytes =
                 peers[i] == forwarder
                     ? 0
                     : chunk_of(exchange.rank_bytes(pair.token_rank, peers[i]), chunk, chunks_)},
            std::move(after));
      }
    }
  }

  void add_combine(ScheduleBuilder& builder,
                   const Exchange& exchange,
                   const NodeLayout& layout,
                   Pair pair) const {
    const std::size_t forwarder = layout.counterpart(pair.token_rank, pair.node);
    const std::span<const std::size_t> peers = layout.ranks_of(pair.node);
    Stream across;
    std::vector<Stream> parts(peers.size());
    for (std::int64_t chunk = 0; chunk < chunks_; ++chunk) {
      std::vector<std::uint32_t> all_parts;
      for (std::size_t i = 0; i < peers.size(); ++i) {
        parts[i].add(
            builder,
            {.from = peers[i],
             .to = forwarder,
             .bytes =
                 peers[i] == forwarder
                     ? 0
                     : chunk_of(exchange.rank_bytes(peers[i], pair.token_rank), chunk, chunks_)},
            {});
        parts[i].append_last(all_parts);
      }
      const std::int64_t bytes = exchange.node_bytes(pair.token_rank, pair.node);
      across.add(
          builder,
          {.from = forwarder, .to = pair.token_rank, .bytes = chunk_of(bytes, chunk, chunks_)},
          std::move(all_parts));
    }
  }

  std::int64_t chunks_;
};

const Register<AllToAll, NodeDedup> kNodeDedup{
    "node_dedup", "once per destination node by RDMA, NVLink inside it (DeepEP normal)"};

}  // namespace
}  // namespace switchyard

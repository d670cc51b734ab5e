// How good could it be: rounds in which every rank sends to at most one and receives from at most
// one, cut so that the busiest rank never idles. Free of contention where ranks are what limits;
// it does not look at the links between them.
#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule_builder.hpp"

namespace switchyard {
namespace {

/// A round is a permutation, and their number grows with the ranks: beyond this, no one waits.
constexpr std::size_t kMostRanks = 512;
constexpr std::int64_t kMostOverlap = 64;
constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();

/// A perfect matching of sources and destinations that is mended, not rebuilt, when edges
/// disappear. Kuhn's augmenting paths: Boost.Graph's matchings start from nothing on a graph built
/// anew, which here, with one or two lost edges in each of thousands of rounds, costs a factor of
/// the number of ranks.
class Matching {
 public:
  explicit Matching(std::size_t size) : source_of_(size, kNobody), destination_of_(size, kNobody) {}

  /// True once every source has a destination over cells of at least `least`.
  bool complete(const Matrix<std::int64_t>& cells, std::int64_t least) {
    for (std::size_t source = 0; source < destination_of_.size(); ++source) {
      const std::size_t destination = destination_of_[source];
      if (destination != kNobody && cells(source, destination) < least) {
        source_of_[destination] = kNobody;
        destination_of_[source] = kNobody;
      }
    }
    for (std::size_t source = 0; source < destination_of_.size(); ++source) {
      if (destination_of_[source] == kNobody && !augment(cells, least, source)) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::size_t destination_of(std::size_t source) const {
    return destination_of_[source];
  }

 private:
  /// Breadth-first search for a free destination, then the switch along the path.
  bool augment(const Matrix<std::int64_t>& cells, std::int64_t least, std::size_t start) {
    const std::size_t size = source_of_.size();
    std::vector<std::size_t> reached_from(size, kNobody);  // [destinations] source
    std::vector<std::size_t> queue{start};
    for (std::size_t head = 0; head < queue.size(); ++head) {
      const std::size_t source = queue[head];
      for (std::size_t destination = 0; destination < size; ++destination) {
        if (cells(source, destination) < least || reached_from[destination] != kNobody) {
          continue;
        }
        reached_from[destination] = source;
        if (source_of_[destination] == kNobody) {
          switch_along(reached_from, destination);
          return true;
        }
        queue.push_back(source_of_[destination]);
      }
    }
    return false;
  }

  void switch_along(const std::vector<std::size_t>& reached_from, std::size_t destination) {
    while (destination != kNobody) {
      const std::size_t source = reached_from[destination];
      const std::size_t given_up = destination_of_[source];
      destination_of_[source] = destination;
      source_of_[destination] = source;
      destination = given_up;
    }
  }

  std::vector<std::size_t> source_of_;       // [destinations]
  std::vector<std::size_t> destination_of_;  // [sources]
};

/// Adds idle time until all rows and columns have the sum of the largest, which Birkhoff's theorem
/// needs. Answers that sum; `cells` includes the idle time.
std::int64_t stuff(Matrix<std::int64_t>& cells) {
  const std::size_t size = cells.rows();
  std::vector<std::int64_t> row_sums(size, 0);
  std::vector<std::int64_t> column_sums(size, 0);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = 0; column < size; ++column) {
      row_sums[row] += cells(row, column);
      column_sums[column] += cells(row, column);
    }
  }
  const std::int64_t target =
      std::max(*std::ranges::max_element(row_sums), *std::ranges::max_element(column_sums));
  std::size_t column = 0;
  for (std::size_t row = 0; row < size; ++row) {
    while (row_sums[row] < target) {
      if (column_sums[column] == target) {
        ++column;
        continue;
      }
      const std::int64_t idle = std::min(target - row_sums[row], target - column_sums[column]);
      cells(row, column) += idle;
      row_sums[row] += idle;
      column_sums[column] += idle;
    }
  }
  return target;
}

/// Rounds that overlap: what a rank does in round r waits for its round r - depth, so that the
/// latency of one piece is hidden behind the next.
class OverlappingRounds {
 public:
  OverlappingRounds(std::size_t ranks, std::size_t depth) : chains_(depth, RoundOrder(ranks)) {}

  void add(ScheduleBuilder& builder, std::size_t from, std::size_t to, std::int64_t bytes) {
    chains_[round_ % chains_.size()].add(builder, from, to, bytes);
  }

  void end_round() {
    chains_[round_ % chains_.size()].end_round();
    ++round_;
  }

 private:
  std::vector<RoundOrder> chains_;
  std::size_t round_ = 0;
};

/// Birkhoff-von Neumann decomposition in the order of Solstice (Liu et al., "Scheduling Techniques
/// for Hybrid Circuit/Packet Networks", CoNEXT 2015, algorithms QuickStuff and BigSlice): the
/// largest slices first, so that there are few of them. What is left when slices get smaller than
/// `least_piece` goes whole, in as many rounds as the busiest rank has partners (Koenig's theorem).
/// There is no barrier: a rank goes on when its own send and receive are done.
class ContentionFree final : public AllToAll {
 public:
  explicit ContentionFree(Parameters& parameters)
      : deduplication_(get_deduplication(parameters)),
        least_piece_(parameters.get_bytes(
            "least_piece", Bytes{262144}, "blocks are not cut into pieces smaller than this")),
        overlap_(static_cast<std::size_t>(
            parameters.get_integer("overlap",
                                   4,
                                   {1, kMostOverlap},
                                   "rounds that a rank has under way at once; 1 = strictly one "
                                   "send and one receive, paying the latency each time"))) {}

  [[nodiscard]] Deduplication deduplication() const override { return deduplication_; }

  [[nodiscard]] Schedule schedule(const Exchange& exchange) const override {
    Matrix<std::int64_t> left = bytes_to_move(exchange, deduplication_);
    const std::size_t ranks = left.rows();
    if (ranks > kMostRanks) {
      throw MissingCapability(
          fmt::format("contention_free serves at most {} ranks, not {}", kMostRanks, ranks),
          {},
          "choose another algorithm (--all-to-all direct)");
    }
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      left(rank, rank) = 0;
    }
    ScheduleBuilder builder(ranks);
    if (ranks > 0) {
      OverlappingRounds rounds(ranks, overlap_);
      send_slices(builder, rounds, left);
      send_rest(builder, rounds, left);
    }
    return builder.take();
  }

 private:
  /// Cuts `cells` (equal row and column sums) into permutations while their slices are at least
  /// `least`; hands each to `send(source, destination, amount)`.
  template <class Send>
  static void decompose(Matrix<std::int64_t>& cells,
                        std::int64_t to_do,
                        std::int64_t least,
                        OverlappingRounds& rounds,
                        const Send& send) {
    auto threshold = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(to_do)));
    Matching matching(cells.rows());
    while (to_do > 0 && threshold >= least) {
      // At a threshold of one Birkhoff's theorem promises a matching.
      if (!matching.complete(cells, threshold)) {
        threshold /= 2;
        SWITCHYARD_CHECK(threshold > 0, "equal sums have a perfect matching");
        continue;
      }
      std::int64_t amount = to_do;
      for (std::size_t source = 0; source < cells.rows(); ++source) {
        amount = std::min(amount, cells(source, matching.destination_of(source)));
      }
      for (std::size_t source = 0; source < cells.rows(); ++source) {
        const std::size_t destination = matching.destination_of(source);
        send(source, destination, amount);
        cells(source, destination) -= amount;
      }
      rounds.end_round();
      to_do -= amount;
    }
  }

  void send_slices(ScheduleBuilder& builder,
                   OverlappingRounds& rounds,
                   Matrix<std::int64_t>& left) const {
    Matrix<std::int64_t> cells = left;
    const std::int64_t sum = stuff(cells);
    decompose(cells,
              sum,
              std::max<std::int64_t>(least_piece_.count, 1),
              rounds,
              [&](std::size_t source, std::size_t destination, std::int64_t amount) {
                const std::int64_t sent = std::min(amount, left(source, destination));
                rounds.add(builder, source, destination, sent);
                left(source, destination) -= sent;
              });
  }

  static void send_rest(ScheduleBuilder& builder,
                        OverlappingRounds& rounds,
                        Matrix<std::int64_t>& left) {
    Matrix<std::int64_t> partners(left.rows(), left.columns());
    std::ranges::transform(left.values(), partners.values().begin(), [](std::int64_t bytes) {
      return bytes > 0 ? std::int64_t{1} : std::int64_t{0};
    });
    const std::int64_t most_partners = stuff(partners);
    decompose(partners,
              most_partners,
              1,
              rounds,
              [&](std::size_t source, std::size_t destination, std::int64_t /*amount*/) {
                rounds.add(builder, source, destination, left(source, destination));
                left(source, destination) = 0;
              });
  }

  Deduplication deduplication_;
  Bytes least_piece_;
  std::size_t overlap_;
};

const Register<AllToAll, ContentionFree> kContentionFree{
    "contention_free", "rounds of disjoint pairs that keep the busiest rank busy throughout"};

}  // namespace
}  // namespace switchyard

// The routes between all pairs of ranks. Every route is cut in the middle and each distinct half is
// stored once: on tree-like fabrics thousands of pairs share a few halves, so that the table of
// 2048 ranks takes 8 bytes a pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "core/identifiers.hpp"
#include "core/numbers/units.hpp"

namespace switchyard {

/// One hop of a route: `share` of the transfer's bytes cross `link` (1 unless Spread splits it).
struct Hop {
  LinkId link;
  float share = 1;

  bool operator==(const Hop&) const = default;
};

/// The hops of one route in path order: two pieces of memory seen as one sequence.
class RouteHops {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Hop;
    using difference_type = std::ptrdiff_t;
    using pointer = const Hop*;
    using reference = const Hop&;

    Iterator() = default;

    Iterator(const RouteHops* hops, std::size_t at) : hops_(hops), at_(at) {}

    reference operator*() const { return (*hops_)[at_]; }

    pointer operator->() const { return &(*hops_)[at_]; }

    Iterator& operator++() {
      ++at_;
      return *this;
    }

    Iterator operator++(int) {
      const Iterator before = *this;
      ++at_;
      return before;
    }

    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const RouteHops* hops_ = nullptr;
    std::size_t at_ = 0;
  };

  RouteHops(std::span<const Hop> near, std::span<const Hop> far) : near_(near), far_(far) {}

  [[nodiscard]] std::size_t size() const { return near_.size() + far_.size(); }

  [[nodiscard]] bool empty() const { return size() == 0; }

  const Hop& operator[](std::size_t hop) const {
    return hop < near_.size() ? near_[hop] : far_[hop - near_.size()];
  }

  // Iterators are valid as long as this object, which range-for keeps alive.
  [[nodiscard]] Iterator begin() const { return {this, 0}; }

  [[nodiscard]] Iterator end() const { return {this, size()}; }

 private:
  std::span<const Hop> near_;
  std::span<const Hop> far_;
};

class RouteTable {
 public:
  [[nodiscard]] std::size_t rank_count() const { return ranks_; }

  /// Hops from source to destination in path order; empty when they are equal.
  [[nodiscard]] RouteHops hops(std::size_t source, std::size_t destination) const {
    return {half(near_half(source, destination)), half(far_half(source, destination))};
  }

  /// Sum of the links' latencies along the (longest) path.
  [[nodiscard]] Seconds latency(std::size_t source, std::size_t destination) const {
    return Seconds{half_latency_s_[near_half(source, destination)] +
                   half_latency_s_[far_half(source, destination)]};
  }

  /// True if some pair is spread over several paths.
  [[nodiscard]] bool is_spread() const { return is_spread_; }

  /// Numbers of the two halves of a route. No half is a near one here and a far one there.
  [[nodiscard]] std::uint32_t near_half(std::size_t source, std::size_t destination) const {
    return near_[source * ranks_ + destination];
  }

  [[nodiscard]] std::uint32_t far_half(std::size_t source, std::size_t destination) const {
    return far_[source * ranks_ + destination];
  }

  [[nodiscard]] std::size_t half_count() const { return half_latency_s_.size(); }

  [[nodiscard]] std::span<const Hop> half(std::uint32_t number) const {
    return {hops_.data() + first_hop_[number], hops_.data() + first_hop_[number + 1]};
  }

  /// A route's latency is the sum over its halves.
  [[nodiscard]] double half_latency_s(std::uint32_t number) const {
    return half_latency_s_[number];
  }

 private:
  friend class RouteTableBuilder;
  RouteTable() = default;

  std::size_t ranks_ = 0;
  std::vector<std::uint32_t> near_;       // [ranks * ranks] number of the half
  std::vector<std::uint32_t> far_;        // [ranks * ranks]
  std::vector<std::uint32_t> first_hop_;  // [halves + 1] into hops_
  std::vector<Hop> hops_;
  std::vector<double> half_latency_s_;  // [halves]
  bool is_spread_ = false;
};

/// Makes a RouteTable route by route.
class RouteTableBuilder {
 public:
  /// `link_latency_s` [links].
  RouteTableBuilder(std::size_t ranks, std::vector<double> link_latency_s);
  /// Goes on from a table: routes that are set replace those it has.
  RouteTableBuilder(RouteTable table, std::vector<double> link_latency_s);

  /// A single path.
  void set(std::size_t source, std::size_t destination, std::span<const Hop> path);
  /// Several paths at once: hops with their shares, and the latency of the slowest.
  void set_spread(std::size_t source,
                  std::size_t destination,
                  std::span<const Hop> hops,
                  double latency_s);

  [[nodiscard]] RouteTable take() &&;

 private:
  enum Side : std::uint8_t { kNear, kFar };

  std::uint32_t intern(std::span<const Hop> hops, Side side, double latency_s);
  void grow_slots();
  [[nodiscard]] double latency_of(std::span<const Hop> hops) const;

  RouteTable table_;
  std::vector<double> link_latency_s_;
  std::vector<std::uint32_t> slots_;   // open addressing: number of a half
  std::vector<std::uint64_t> hashes_;  // [halves]
  std::vector<Side> sides_;            // [halves]
};

}  // namespace switchyard

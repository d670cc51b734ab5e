// How often each of 64 bits is set in a stream of words, at a few operations a word whatever the
// number of set bits.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace switchyard {

class BitHistogram {
 public:
  void add(std::uint64_t word) {
    words_[count_++] = word;
    if (count_ == words_.size()) {
      fold();
    }
  }

  /// Adds the counts of bits 0 to counts.size() - 1, at most 64, and starts anew.
  void take(std::span<std::int64_t> counts) {
    if (count_ < kFewWords) {
      add_one_by_one();
    } else {
      fold();
    }
    for (std::size_t bit = 0; bit < counts.size(); ++bit) {
      counts[bit] += totals_[bit];
    }
    totals_.fill(0);
  }

 private:
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kLanePlanes = 6;  // a lane counts to 63
  static constexpr std::size_t kPlanes = 8;      // four lanes to 252
  static constexpr std::size_t kFewWords = 16;   // below, counters cost more than they save

  /// Bit i of plane p is bit p of the count of bit i: counters that lie upright.
  using Lane = std::array<std::uint64_t, kPlanes>;

  void add_one_by_one() {
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::uint64_t rest = words_[i]; rest != 0; rest &= rest - 1) {
        ++totals_[static_cast<std::size_t>(std::countr_zero(rest))];
      }
    }
    count_ = 0;
  }

  void fold() {
    std::array<std::array<std::uint64_t, kLanes>, kLanePlanes> planes{};
    while (count_ % kLanes != 0) {
      words_[count_++] = 0;
    }
    for (std::size_t first = 0; first < count_; first += kLanes) {
      std::array<std::uint64_t, kLanes> carry{};
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        carry[lane] = words_[first + lane];
      }
      for (auto& plane : planes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          const std::uint64_t next = plane[lane] & carry[lane];
          plane[lane] ^= carry[lane];
          carry[lane] = next;
        }
      }
    }
    Lane sum{};
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Lane term{};
      for (std::size_t plane = 0; plane < kLanePlanes; ++plane) {
        term[plane] = planes[plane][lane];
      }
      add_lane(sum, term);
    }
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      for (std::size_t bit = 0; bit < totals_.size(); ++bit) {
        totals_[bit] += static_cast<std::int64_t>((sum[plane] >> bit & 1U) << plane);
      }
    }
    count_ = 0;
  }

  static void add_lane(Lane& sum, const Lane& term) {
    std::uint64_t carry = 0;
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      const std::uint64_t either = sum[plane] ^ term[plane];
      const std::uint64_t next = (sum[plane] & term[plane]) | (either & carry);
      sum[plane] = either ^ carry;
      carry = next;
    }
  }

  std::array<std::uint64_t, kLanes * 63> words_{};
  std::size_t count_ = 0;
  std::array<std::int64_t, 64> totals_{};
};

}  // namespace switchyard

// The other way round from a capacity sweep: which factor keeps a wanted share of the pairs?
#pragma once

#include <cstdint>
#include <vector>

namespace switchyard {

/// Answers for one layer, from the pairs that each expert of each group of tokens was asked for.
class NeededFactor {
 public:
  /// Slots of a group are ceil(factor * top_k * tokens / experts), at least `minimum`.
  NeededFactor(std::size_t experts, double top_k, std::int64_t minimum)
      : experts_(experts), top_k_(top_k), minimum_(minimum) {}

  /// A group of `tokens` with its `counts` [experts] of pairs.
  void add_group(std::int64_t tokens, std::vector<std::int64_t> counts);

  /// Least factor that keeps `goal`, a share of all pairs of all groups; to 40 bisections.
  [[nodiscard]] double for_share(double goal) const;

 private:
  struct Sorted {
    double tokens = 0;
    std::vector<std::int64_t> counts;  // ascending
    std::vector<std::int64_t> sums;    // of the counts before each
  };

  [[nodiscard]] std::int64_t kept(double factor) const;

  std::size_t experts_;
  double top_k_;
  std::int64_t minimum_;
  std::int64_t pairs_ = 0;
  double largest_ = 0;  // keeps everything
  std::vector<Sorted> groups_;
};

}  // namespace switchyard

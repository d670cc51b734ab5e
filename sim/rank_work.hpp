// How long a rank computes and what holds it up, and how an amount is cut into pieces.
#pragma once

#include <cstdint>

namespace switchyard {

/// Seconds of a rank's work, by what bounds each kernel of it.
struct RankWork {
  double compute_s = 0;  // arithmetic rate
  double memory_s = 0;   // memory rate
  double launch_s = 0;   // starting kernels

  [[nodiscard]] double total() const { return compute_s + memory_s + launch_s; }
};

/// Piece `index` of `count` equal pieces; the pieces of an amount add up to it exactly.
struct Share {
  std::int64_t index = 0;
  std::int64_t count = 1;

  [[nodiscard]] std::int64_t of(std::int64_t amount) const {
    const std::int64_t whole = amount / count;
    const std::int64_t rest = amount % count;  // amount x index could overflow
    return whole + rest * (index + 1) / count - rest * index / count;
  }
};

}  // namespace switchyard

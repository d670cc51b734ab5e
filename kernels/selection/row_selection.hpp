// The k best scores of a row, by the rules of kernels/device/router_math.cuh: the one selection
// that all CPU routers share. Best first; ties to the lower index; NaN and -infinity never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace switchyard {

/// Scratch for selecting from rows of one length; each thread has its own.
class RowSelector {
 public:
  RowSelector(std::size_t experts, std::size_t top_k);

  /// Writes the ids of the best `top_k` of `scores` [experts] to `ids` [top_k]; kNoExpert where too
  /// few scores are valid.
  void select(std::span<const float> scores, std::span<std::int32_t> ids);

 private:
  std::size_t experts_;
  std::size_t top_k_;
  std::vector<std::int32_t> keys_;        // [experts rounded up to whole vectors]
  std::vector<std::int64_t> candidates_;  // (key, inverted id): greater is better
};

}  // namespace switchyard

// Threshold selection: the k-th largest of 32 column maxima bounds the k-th largest score from
// below, so that only a handful of scores are ever sorted.
#include "kernels/selection/row_selection.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "core/check.hpp"
#include "kernels/device/router_math.cuh"
#include "kernels/selection/isa_versions.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kColumns = 32;    // the row is looked at as [depth, kColumns]
constexpr std::size_t kFewEnough = 64;  // candidates that are ranked against each other

// Order keys less 2^31: vector units below AVX-512 compare signed integers only.
constexpr std::int32_t kNotValid = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kNoCandidate = std::numeric_limits<std::int64_t>::min();

struct RowJob {
  const float* scores;
  std::size_t experts;
  std::size_t top_k;
  std::int32_t* keys;        // [padded]
  std::size_t padded;        // whole vectors
  std::int64_t* candidates;  // room for padded + kFewEnough
  std::int32_t* ids;
};

/// Some value <= the k-th largest key with at least k keys >= it, or the lowest valid one where
/// that cannot be told.
SWITCHYARD_ISA_BODY std::int32_t lower_bound_of_kth(const std::int32_t* best, std::size_t top_k) {
  if (top_k > kColumns) {
    return kNotValid + 1;
  }
  std::int32_t above[kColumns] = {};
  for (std::size_t other = 0; other < kColumns; ++other) {
    const std::int32_t key = best[other];
    for (std::size_t column = 0; column < kColumns; ++column) {
      above[column] += key > best[column] ? 1 : 0;
    }
  }
  // Masks, not choices: compilers would branch on them.
  const auto kept = static_cast<std::int32_t>(top_k);
  constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();
  std::int32_t lowest = kHighest;
  for (std::size_t column = 0; column < kColumns; ++column) {
    const std::int32_t is_kept = -static_cast<std::int32_t>(above[column] < kept);
    const std::int32_t key = (best[column] & is_kept) | (kHighest & ~is_kept);
    lowest = key < lowest ? key : lowest;
  }
  return std::max(lowest, kNotValid + 1);
}

/// Candidates in descending order. They are unique, so the number of greater ones is the position.
template <std::size_t kRoom>
SWITCHYARD_ISA_BODY void rank_candidates(std::int64_t* candidates, std::size_t count) {
  std::int64_t key[kRoom];
  std::int64_t position[kRoom];
  for (std::size_t at = 0; at < kRoom; ++at) {
    key[at] = candidates[at];
    position[at] = candidates[0] > key[at] ? 1 : 0;
  }
  for (std::size_t other = 1; other < count; ++other) {
    const std::int64_t rival = candidates[other];
    for (std::size_t at = 0; at < kRoom; ++at) {
      position[at] += rival > key[at] ? 1 : 0;
    }
  }
  for (std::size_t at = 0; at < count; ++at) {
    candidates[position[at]] = key[at];
  }
}

/// Candidates in descending order, up to `top_k` of them at the front.
SWITCHYARD_ISA_BODY void sort_candidates(std::int64_t* candidates,
                                         std::size_t count,
                                         std::size_t top_k) {
  if (count <= 8) {
    rank_candidates<8>(candidates, count);
  } else if (count <= 16) {
    rank_candidates<16>(candidates, count);
  } else if (count <= 32) {
    rank_candidates<32>(candidates, count);
  } else if (count <= kFewEnough) {
    rank_candidates<kFewEnough>(candidates, count);
  } else {
    std::partial_sort(
        candidates, candidates + std::min(top_k, count), candidates + count, std::greater<>());
  }
}

SWITCHYARD_ISA_BODY void select_row_body(const RowJob& job) {
  std::int32_t* const keys = job.keys;
  std::int64_t* const candidates = job.candidates;
  const std::size_t padded = job.padded;
  for (std::size_t expert = 0; expert < job.experts; ++expert) {
    keys[expert] = static_cast<std::int32_t>(order_key(job.scores[expert]) ^ 0x80000000U);
  }
  std::int32_t best[kColumns];
  for (std::size_t column = 0; column < kColumns; ++column) {
    best[column] = std::max(keys[column], keys[kColumns + column]);
  }
  for (std::size_t first = 2 * kColumns; first < padded; first += kColumns) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      const std::int32_t key = keys[first + column];
      best[column] = key > best[column] ? key : best[column];
    }
  }
  const std::int32_t threshold = lower_bound_of_kth(best, job.top_k);
  // Branches here would be coin tosses: everything is written, and counted where it is kept.
  std::size_t columns[kColumns];
  std::size_t column_count = 0;
  for (std::size_t column = 0; column < kColumns; ++column) {
    columns[column_count] = column;
    column_count += best[column] >= threshold ? 1U : 0U;
  }
  std::size_t count = 0;
  for (std::size_t kept = 0; kept < column_count; ++kept) {
    for (std::size_t at = columns[kept]; at < padded; at += kColumns) {
      const auto key = static_cast<std::uint32_t>(keys[at]);
      candidates[count] = static_cast<std::int64_t>((static_cast<std::uint64_t>(key) << 32) |
                                                    (0xFFFFFFFFU - static_cast<std::uint32_t>(at)));
      count += keys[at] >= threshold ? 1U : 0U;
    }
  }
  sort_candidates(candidates, count, job.top_k);
  for (std::size_t slot = 0; slot < job.top_k; ++slot) {
    job.ids[slot] = slot < count ? static_cast<std::int32_t>(expert_of_selection_key(
                                       static_cast<std::uint64_t>(candidates[slot])))
                                 : kNoExpert;
  }
}

SWITCHYARD_ISA_VERSIONS(select_row, RowJob)

}  // namespace

RowSelector::RowSelector(std::size_t experts, std::size_t top_k)
    : experts_(experts),
      top_k_(top_k),
      keys_(std::max<std::size_t>(2, (experts + kColumns - 1) / kColumns) * kColumns, kNotValid),
      candidates_(keys_.size() + kFewEnough, kNoCandidate) {}

void RowSelector::select(std::span<const float> scores, std::span<std::int32_t> ids) {
  SWITCHYARD_CHECK(scores.size() == experts_ && ids.size() == top_k_, "a row of another shape");
  select_row({.scores = scores.data(),
              .experts = experts_,
              .top_k = top_k_,
              .keys = keys_.data(),
              .padded = keys_.size(),
              .candidates = candidates_.data(),
              .ids = ids.data()});
}

}  // namespace switchyard

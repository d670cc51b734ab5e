// Threshold selection: the k-th largest of 32 column maxima bounds the k-th largest score from
// below, so that only the columns above it, and in them only a handful of scores, are ever sorted.
#include "kernels/selection/row_selection.hpp"

#include <algorithm>
#include <functional>

#include "core/check.hpp"
#include "kernels/device/router_math.cuh"
#include "kernels/selection/isa_versions.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kColumns = 32;    // the row is looked at as [depth, kColumns]
constexpr std::size_t kFewEnough = 16;  // candidates that are ranked against each other

struct RowJob {
  const float* scores;
  std::size_t experts;
  std::size_t top_k;
  std::uint32_t* keys;        // [depth, kColumns]
  std::size_t padded;         // depth * kColumns
  std::uint64_t* candidates;  // room for padded + kFewEnough
  std::int32_t* ids;
};

/// Some value <= the k-th largest key with at least k keys >= it, or 1 where that cannot be told.
SWITCHYARD_ISA_BODY std::uint32_t lower_bound_of_kth(const std::uint32_t* best, std::size_t top_k) {
  if (top_k > kColumns) {
    return 1;
  }
  std::uint32_t above[kColumns] = {};
  for (std::size_t other = 0; other < kColumns; ++other) {
    const std::uint32_t key = best[other];
    for (std::size_t column = 0; column < kColumns; ++column) {
      above[column] += key > best[column] ? 1U : 0U;
    }
  }
  std::uint32_t lowest = 0xFFFFFFFFU;
  for (std::size_t column = 0; column < kColumns; ++column) {
    const std::uint32_t key = best[column] | (above[column] < top_k ? 0U : 0xFFFFFFFFU);
    lowest = key < lowest ? key : lowest;
  }
  return lowest == 0 ? 1 : lowest;
}

/// Candidates in descending order, up to `top_k` of them at the front.
SWITCHYARD_ISA_BODY void sort_candidates(std::uint64_t* candidates,
                                         std::size_t count,
                                         std::size_t top_k) {
  if (count > kFewEnough) {
    std::partial_sort(
        candidates, candidates + std::min(top_k, count), candidates + count, std::greater<>());
    return;
  }
  // Keys are unique, so the number of greater ones is the position. Unused places hold 0.
  std::uint64_t key[kFewEnough];
  std::uint64_t position[kFewEnough] = {};
  for (std::size_t at = 0; at < kFewEnough; ++at) {
    key[at] = at < count ? candidates[at] : 0;
  }
  for (std::size_t other = 0; other < count; ++other) {
    const std::uint64_t rival = candidates[other];
    for (std::size_t at = 0; at < kFewEnough; ++at) {
      position[at] += rival > key[at] ? 1U : 0U;
    }
  }
  for (std::size_t at = 0; at < count; ++at) {
    candidates[position[at]] = key[at];
  }
}

SWITCHYARD_ISA_BODY void select_row_body(const RowJob& job) {
  std::uint32_t* const keys = job.keys;
  for (std::size_t expert = 0; expert < job.experts; ++expert) {
    keys[expert] = order_key(job.scores[expert]);
  }
  std::uint32_t best[kColumns] = {};
  for (std::size_t first = 0; first < job.padded; first += kColumns) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      const std::uint32_t key = keys[first + column];
      best[column] = key > best[column] ? key : best[column];
    }
  }
  const std::uint32_t threshold = lower_bound_of_kth(best, job.top_k);
  // Branches here would be coin tosses: everything is written, and counted where it is kept.
  std::size_t columns[kColumns];
  std::size_t column_count = 0;
  for (std::size_t column = 0; column < kColumns; ++column) {
    columns[column_count] = column;
    column_count += best[column] >= threshold ? 1U : 0U;
  }
  std::size_t count = 0;
  for (std::size_t kept = 0; kept < column_count; ++kept) {
    for (std::size_t at = columns[kept]; at < job.padded; at += kColumns) {
      job.candidates[count] = (static_cast<std::uint64_t>(keys[at]) << 32) |
                              (0xFFFFFFFFU - static_cast<std::uint32_t>(at));
      count += keys[at] >= threshold ? 1U : 0U;
    }
  }
  sort_candidates(job.candidates, count, job.top_k);
  for (std::size_t slot = 0; slot < job.top_k; ++slot) {
    job.ids[slot] = slot < count
                        ? static_cast<std::int32_t>(expert_of_selection_key(job.candidates[slot]))
                        : kNoExpert;
  }
}

SWITCHYARD_ISA_VERSIONS(select_row, RowJob)

}  // namespace

RowSelector::RowSelector(std::size_t experts, std::size_t top_k)
    : experts_(experts),
      top_k_(top_k),
      keys_((experts + kColumns - 1) / kColumns * kColumns, 0),
      candidates_(keys_.size() + kFewEnough, 0) {}

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

// Coordinates go through in stretches that fit the first-level cache beside their gate rows, so
// that a stretch of four rows is read once from memory for all experts.
#include "kernels/stages/ordered_projection.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "kernels/device/router_math.cuh"
#include "kernels/selection/isa_versions.hpp"
#include "kernels/selection/parallel_rows.hpp"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace switchyard {
namespace {

constexpr std::size_t kLanes = 32;
constexpr std::size_t kStretch = 1024;

/// Two gate rows at a time: the second of a last pair is the first again, with sums of its own.
using Tile = void (*)(const float* const* rows,
                      const float* const* gates,
                      std::size_t first,
                      std::size_t last,
                      float* const* sums);

#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define SWITCHYARD_TILE add_products_v4
#define SWITCHYARD_VECTOR __m512
#define SWITCHYARD_LANES 16
#define SWITCHYARD_LOAD(p) _mm512_loadu_ps(p)
#define SWITCHYARD_STORE(p, v) _mm512_storeu_ps(p, v)
#define SWITCHYARD_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#include "kernels/stages/ordered_projection_tile.hpp"
#undef SWITCHYARD_TILE
#undef SWITCHYARD_VECTOR
#undef SWITCHYARD_LANES
#undef SWITCHYARD_LOAD
#undef SWITCHYARD_STORE
#undef SWITCHYARD_FMA
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define SWITCHYARD_TILE add_products_v3
#define SWITCHYARD_VECTOR __m256
#define SWITCHYARD_LANES 8
#define SWITCHYARD_LOAD(p) _mm256_loadu_ps(p)
#define SWITCHYARD_STORE(p, v) _mm256_storeu_ps(p, v)
#define SWITCHYARD_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#include "kernels/stages/ordered_projection_tile.hpp"
#undef SWITCHYARD_TILE
#undef SWITCHYARD_VECTOR
#undef SWITCHYARD_LANES
#undef SWITCHYARD_LOAD
#undef SWITCHYARD_STORE
#undef SWITCHYARD_FMA
#pragma GCC pop_options
#endif
#define SWITCHYARD_TILE add_products_v1
#define SWITCHYARD_VECTOR float
#define SWITCHYARD_LANES 1
#define SWITCHYARD_LOAD(p) *(p)
#define SWITCHYARD_STORE(p, v) *(p) = v
#define SWITCHYARD_FMA(a, b, c) std::fma(a, b, c)
#include "kernels/stages/ordered_projection_tile.hpp"

Tile best_tile() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (detail::isa_level() == 4) {
    return &add_products_v4;
  }
  if (detail::isa_level() == 3) {
    return &add_products_v3;
  }
#endif
  return &add_products_v1;
}

/// Lanes by halves.
float sum_of_lanes(const float* lanes) {
  float sums[kLanes];
  std::copy_n(lanes, kLanes, sums);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) {
      sums[lane] = add_rounded(sums[lane], sums[lane + half]);
    }
  }
  return sums[0];
}

}  // namespace

OrderedProjector::OrderedProjector(MatrixView<const float> gate)
    : gate_(gate), sums_((gate.rows() + 1) * kProjectedRows * kLanes) {}

void OrderedProjector::project(const float* const* rows, std::size_t count, float* logits) {
  static const Tile tile = best_tile();
  const std::size_t experts = gate_.rows();
  const std::size_t width = gate_.columns();
  const std::size_t whole = width / kLanes * kLanes;
  const float* all[kProjectedRows];
  for (std::size_t row = 0; row < kProjectedRows; ++row) {
    all[row] = rows[std::min(row, count - 1)];
  }
  std::fill(sums_.begin(), sums_.end(), 0.0F);
  const auto sums_of = [&](std::size_t expert) {
    return sums_.data() + expert * kProjectedRows * kLanes;
  };
  for (std::size_t first = 0; first < whole; first += kStretch) {
    for (std::size_t expert = 0; expert < experts; expert += 2) {
      const std::size_t second = std::min(expert + 1, experts - 1);
      const float* const gates[] = {gate_.row(expert).data(), gate_.row(second).data()};
      float* const sums[] = {sums_of(expert), sums_of(expert + 1)};
      tile(all, gates, first, std::min(first + kStretch, whole), sums);
    }
  }
  for (std::size_t row = 0; row < count; ++row) {
    for (std::size_t expert = 0; expert < experts; ++expert) {
      float* const lanes = sums_of(expert) + row * kLanes;
      for (std::size_t at = whole; at < width; ++at) {
        lanes[at - whole] =
            multiply_add_rounded(all[row][at], gate_(expert, at), lanes[at - whole]);
      }
      logits[row * experts + expert] = sum_of_lanes(lanes);
    }
  }
}

void project_in_order(MatrixView<const float> hidden,
                      MatrixView<const float> gate,
                      MatrixView<float> logits) {
  SWITCHYARD_CHECK(hidden.columns() == gate.columns() && logits.rows() == hidden.rows() &&
                       logits.columns() == gate.rows(),
                   "a projection of another shape");
  for_each_group(
      hidden.rows(),
      kProjectedRows,
      [&] { return OrderedProjector(gate); },
      [&](std::size_t first, std::size_t count, OrderedProjector& projector) {
        const float* rows[kProjectedRows] = {};
        for (std::size_t row = 0; row < count; ++row) {
          rows[row] = hidden.row(first + row).data();
        }
        projector.project(rows, count, logits.row(first).data());
      });
}

}  // namespace switchyard

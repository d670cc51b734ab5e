// logits = rows x gate^T in float32 with one fixed order of sums, the same on every executor (see
// kernels/hidden/ordered_projection_launch.hpp): for routers whose choices must not depend on the
// machine. GateProjection is faster for many experts, but its sums follow the processor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// Rows that are projected together.
inline constexpr std::size_t kProjectedRows = 4;

/// One thread's projector.
class OrderedProjector {
 public:
  /// gate [experts, width]; must outlive the projector.
  explicit OrderedProjector(MatrixView<const float> gate);

  /// Projects `count` <= kProjectedRows rows of `width` numbers, which lie at `rows[0]`, ...;
  /// `logits` is [count, experts].
  void project(const float* const* rows, std::size_t count, float* logits);

 private:
  MatrixView<const float> gate_;
  std::vector<float> sums_;  // [experts, kProjectedRows, 32]
};

/// hidden [tokens, width], gate [experts, width] -> logits [tokens, experts].
void project_in_order(MatrixView<const float> hidden,
                      MatrixView<const float> gate,
                      MatrixView<float> logits);

}  // namespace switchyard

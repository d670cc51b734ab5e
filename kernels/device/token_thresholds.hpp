// Expert-side selection: for each row of a table [rows, tokens] the threshold (row_router.hpp) that
// takes the row's `capacity` best tokens, ties to the lower token, NaN and -infinity never.
#pragma once

#include <cstdint>

#include "kernels/device/row_router.hpp"

namespace switchyard {

/// Kernel arguments; device pointers.
struct ThresholdArguments {
  const float* table = nullptr;            ///< [rows, tokens]
  const std::int32_t* capacity = nullptr;  ///< [rows] tokens to take
  TokenThreshold* thresholds = nullptr;    ///< [rows] out
  std::int32_t tokens = 0;
};

inline constexpr std::int32_t kThresholdThreads = 256;

}  // namespace switchyard

// Choice and dispatch layout together. Few tokens: one launch of one block that goes through the
// bodies of the three kernels; many: those three kernels. The same bits either way.
#pragma once

#include "kernels/device/dispatch_layout_launch.hpp"
#include "kernels/routers/top_k_launch.hpp"

namespace switchyard {

// clang-format off
// One line for each compiled one-launch kernel: X(tag, logit type, room for experts, for slots).
#define SWITCHYARD_COMPLETE_ROUTE_KERNELS(X)     \
  X(f32, float, 64, 8)     X(f32, float, 256, 8) \
  X(bf16, Bfloat16, 64, 8) X(bf16, Bfloat16, 256, 8)

// clang-format on

/// Kernel arguments. The choice's ids are the layout's.
struct CompleteRouteArguments {
  TopKArguments choice;
  LayoutArguments layout;
};

/// bench/gpu_kernel_bench on an H200: one launch takes 16 us for 32 tokens and 29 us for 128, three
/// take 24 and 25 us.
inline constexpr std::int32_t kOneLaunchMostTokens = 64;
inline constexpr std::int32_t kOneLaunchMostExperts = 256;
inline constexpr std::int32_t kOneLaunchWarps = 16;
inline constexpr std::int32_t kOneLaunchThreads = kOneLaunchWarps * kLanesOfWarp;

}  // namespace switchyard

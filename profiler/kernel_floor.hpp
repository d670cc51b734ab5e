// The least time that a router kernel can take on a device: the bytes that it must move over the
// memory's peak rate, and the warp instructions that its code executes over the rate at which the
// multiprocessors can issue them. A measured time is set against both: far above them is overhead
// (launch, latency, waiting) or a defect. Only where the bytes fit into the L2 cache may a kernel
// be faster than its memory floor, since they need not come from memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/numbers/units.hpp"
#include "profiler/activities/activity_records.hpp"

namespace switchyard {

/// One launch of softmax top-k selection: [tokens, experts] logits in, `slots` ids and weights a
/// token out.
struct TopKLaunch {
  std::int64_t tokens = 0;
  std::int64_t experts = 0;
  std::int64_t slots = 0;
  std::int64_t logit_bytes = 4;  // 4: float32; 2: bfloat16, float16
};

/// Bytes that the launch cannot avoid: each logit read once, each id (int32) and weight (float32)
/// written once.
Bytes least_bytes(const TopKLaunch& launch);

/// Warp instructions a token of our top-k kernels, counted by the PTX machine on what nvcc compiled
/// (tests/emulation holds this table against it); nothing for shapes that it does not list.
/// `is_renormalised`: weights are a softmax over the chosen experts, else over all.
std::optional<double> warp_instructions_per_token(const TopKLaunch& launch, bool is_renormalised);

/// What a device can do at its peak clocks.
struct DeviceRates {
  BytesPerSecond memory;
  double warp_instructions = 0;  // per second: one a clock on each of 4 schedulers
};

/// From what CUPTI says of the device.
DeviceRates rates_of(const DeviceFacts& device);

struct KernelFloor {
  Seconds memory{0};  // for the bytes
  Seconds issue{0};   // for the instructions; 0 where they are not known

  [[nodiscard]] Seconds time() const { return std::max(memory, issue); }
};

/// Throws InvalidInput if the device's rates are not known (zero).
KernelFloor kernel_floor(const TopKLaunch& launch, bool is_renormalised, const DeviceRates& rates);

}  // namespace switchyard

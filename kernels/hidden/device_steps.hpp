// Steps that the routers with hidden states share on a device. Pointers are device addresses.
#pragma once

#include <cstdint>

#include "kernels/device/device_arena.hpp"
#include "kernels/device/executor_choice.hpp"
#include "kernels/device/top_k_on_device.hpp"
#include "kernels/router.hpp"

namespace switchyard {

/// Blocks of `of_block` that hold `count` things.
constexpr std::int32_t blocks_of(std::int32_t count, std::int32_t of_block) {
  return count / of_block + (count % of_block == 0 ? 0 : 1);
}

/// Throws MissingCapability if tables of this size cannot be counted in 32 bits.
void check_device_table(std::size_t rows, std::size_t columns);

/// A table of scores in device memory.
struct DeviceScores {
  const float* scores = nullptr;  // [tokens, experts]
  std::int32_t tokens = 0;
  std::int32_t experts = 0;
};

struct DeviceChoices {
  std::int32_t* expert_ids = nullptr;  // [tokens, slots]
  float* weights = nullptr;            // [tokens, slots]
};

/// The best `slots` scores of each token, weighed by softmax over them, or over all experts. One
/// launch.
DeviceChoices choose_best(DeviceArena& arena,
                          const DeviceScores& scores,
                          std::size_t slots,
                          bool is_renormalised);

RoutingDecision download_choices(DeviceArena& arena,
                                 const DeviceChoices& choices,
                                 std::size_t tokens,
                                 std::size_t slots);

}  // namespace switchyard

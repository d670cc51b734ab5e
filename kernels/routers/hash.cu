// The hash router's kernel: one thread for each token.
#include "core/numbers/mix_bits.hpp"
#include "kernels/device/kernel.cuh"
#include "kernels/device/row_router.hpp"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_hash, RowArguments, kRowWarps* kWarpLanes) {
  const std::int32_t token = static_cast<std::int32_t>(blockIdx.x) * kRowWarps * kWarpLanes +
                             static_cast<std::int32_t>(threadIdx.x);
  if (token >= arguments.tokens) {
    return;
  }
  const std::uint64_t key =
      mix_bits(arguments.key, static_cast<std::uint64_t>(arguments.token_ids[token]));
  const std::int64_t row = static_cast<std::int64_t>(token) * arguments.slots;
  const float weight = divide_rounded(1.0F, static_cast<float>(arguments.slots));
  std::uint64_t attempt = 0;
  for (std::int32_t slot = 0; slot < arguments.slots; ++slot) {
    std::int32_t expert = 0;
    bool repeats = true;
    while (repeats) {
      const std::uint64_t drawn = mix_bits(key, attempt++);
      expert = static_cast<std::int32_t>(drawn % static_cast<std::uint32_t>(arguments.experts));
      repeats = false;
      for (std::int32_t earlier = 0; earlier < slot; ++earlier) {
        repeats = repeats || arguments.expert_ids[row + earlier] == expert;
      }
    }
    arguments.expert_ids[row + slot] = expert;
    arguments.gate_weights[row + slot] = weight;
  }
}

}  // namespace switchyard

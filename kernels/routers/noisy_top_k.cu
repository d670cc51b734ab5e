// Kernels of the noisy top-k router.
#include "kernels/device/row_router.cuh"
#include "kernels/device/token_bits.cuh"

namespace switchyard {

struct NoisyTopK : RowPolicy {
  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& row,
                                       std::int32_t expert,
                                       float logit) {
    const std::uint64_t index =
        static_cast<std::uint64_t>(row.token) * static_cast<std::uint64_t>(arguments.experts) +
        static_cast<std::uint64_t>(expert);
    return add_rounded(logit, multiply_rounded(normal_of(arguments.key, index), arguments.scale));
  }
};

SWITCHYARD_ROW_ROUTER(noisy_top_k, NoisyTopK)

}  // namespace switchyard

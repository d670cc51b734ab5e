// Kernels of the random router.
#include "kernels/device/row_router.cuh"
#include "kernels/device/token_bits.cuh"

namespace switchyard {

struct RandomExperts : RowPolicy {
  static constexpr bool kReadsLogits = false;

  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& row,
                                       std::int32_t expert,
                                       float /*logit*/) {
    const std::uint64_t index =
        static_cast<std::uint64_t>(row.token) * static_cast<std::uint64_t>(arguments.experts) +
        static_cast<std::uint64_t>(expert);
    return multiply_rounded(log_lot_of(arguments.key, index), arguments.expert_terms[expert]);
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& arguments,
                                       const RowToken& /*row*/,
                                       const RowChoice& /*choice*/) {
    return divide_rounded(1.0F, static_cast<float>(arguments.slots));
  }
};

SWITCHYARD_ROW_ROUTER(random, RandomExperts)

}  // namespace switchyard

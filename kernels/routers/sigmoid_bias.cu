// Kernels of the router with sigmoid scores and a correction bias.
#include "kernels/device/row_router.cuh"

namespace switchyard {

struct SigmoidBias : RowPolicy {
  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& /*row*/,
                                       std::int32_t expert,
                                       float logit) {
    const float biased = add_rounded(sigmoid_reproducible(logit), arguments.expert_terms[expert]);
    return is_valid_score(logit) ? biased : float_of_bits(kNotANumberBits);
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE float weigh(const RowArguments& arguments,
                                       const RowToken& row,
                                       const RowChoice& choice) {
    return sigmoid_reproducible(logit_of_choice(arguments, row, choice));
  }

  template <int kSlotTier>
  static SWITCHYARD_DEVICE void finish(const RowArguments& arguments,
                                       const RowToken& row,
                                       RowChoice& choice) {
    if (arguments.is_renormalised) {
      normalise_choices<kSlotTier>(row, choice);
    }
    choice.weight = multiply_rounded(choice.weight, arguments.scale);
  }
};

SWITCHYARD_ROW_ROUTER(sigmoid_bias, SigmoidBias)

}  // namespace switchyard

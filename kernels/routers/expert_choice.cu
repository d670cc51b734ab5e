// Kernels of expert choice: the table of scores, and the rows when the experts have chosen.
#include "kernels/device/score_table.cuh"

namespace switchyard {

struct ExpertChoiceScore : RowPolicy {
  static constexpr bool kUsesSoftmax = true;

  static SWITCHYARD_DEVICE float score(const RowArguments& /*arguments*/,
                                       const RowToken& row,
                                       std::int32_t /*expert*/,
                                       float logit) {
    return is_valid_score(logit) ? row.logits.probability(logit) : float_of_bits(kNotANumberBits);
  }
};

SWITCHYARD_SCORE_TABLE(expert_choice, ExpertChoiceScore)
SWITCHYARD_ROW_ROUTER(expert_choice, TakenBy<ExpertChoiceScore>)

}  // namespace switchyard

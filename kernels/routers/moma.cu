// Kernels of MoMa: the table of scores within each modality, and the rows when the experts have
// chosen.
#include "kernels/device/score_table.cuh"

namespace switchyard {

struct ModalityScore : RowPolicy {
  static SWITCHYARD_DEVICE float score(const RowArguments& arguments,
                                       const RowToken& row,
                                       std::int32_t expert,
                                       float logit) {
    const bool is_image = arguments.modality != nullptr && arguments.modality[row.token] != 0;
    const bool is_own = is_image == (expert >= arguments.text_experts);
    const float score = sigmoid_reproducible(logit);
    return is_own && is_valid_score(logit) ? score : float_of_bits(kNotANumberBits);
  }
};

SWITCHYARD_SCORE_TABLE(moma, ModalityScore)
SWITCHYARD_ROW_ROUTER(moma, TakenBy<ModalityScore>)

}  // namespace switchyard

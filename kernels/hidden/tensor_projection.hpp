// The gate projection in bfloat16, as a GPU's tensor cores make it: operands rounded to bfloat16,
// products exact, sums in float32, coordinates in ascending order.
#pragma once

#include "core/matrix.hpp"

namespace switchyard {

/// hidden [tokens, width], gate [experts, width] -> logits [tokens, experts], on the CPU.
void project_in_bfloat16(MatrixView<const float> hidden,
                         MatrixView<const float> gate,
                         MatrixView<float> logits);

/// The same by mma.sync on the current device. The emulator and the PTX machine give the same bits;
/// a GPU may round differently inside a step of 16 coordinates. Throws MissingCapability without a
/// usable GPU or for tables of more than 2^30 entries.
Matrix<float> project_in_bfloat16_on_device(MatrixView<const float> hidden,
                                            MatrixView<const float> gate);

}  // namespace switchyard

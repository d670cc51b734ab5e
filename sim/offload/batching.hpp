// Read-ME's expert-aware batching.
#pragma once

#include <cstdint>
#include <vector>

#include "core/matrix.hpp"

namespace switchyard {

/// An order of tokens whose consecutive batches share experts (Read-ME, arXiv 2410.19123): one
/// queue for each expert; tokens are taken from the longest queue, then the next longest, until
/// `batch` are together. `waiting` tokens are in the queues at a time, refilled in order of
/// arrival. Between queues of one length the lower expert's comes first.
/// `experts` [tokens, k], kNoExpert = none. Answers every token once, [tokens].
std::vector<std::uint32_t> expert_aware_order(const Matrix<std::int32_t>& experts,
                                              std::size_t expert_count,
                                              std::size_t batch,
                                              std::size_t waiting);

}  // namespace switchyard

// Follows every byte of a schedule through its forwarders, whatever the algorithm: each block of
// the matrix is a power of two, so that a transfer's size tells which blocks it carries.
#pragma once

#include <string>

#include "core/matrix.hpp"
#include "sim/all_to_all.hpp"
#include "sim/exchange/schedule.hpp"

namespace switchyard::testing {

/// Off-diagonal entries are distinct powers of two; at most 7 ranks. The diagonal is 2^50, which no
/// transfer may carry.
Matrix<std::int64_t> traceable_blocks(std::size_t ranks);

/// "" if each block of `blocks` reaches its destination exactly once and no rank passes on what it
/// neither owns nor has received in a transfer that it waits for; else what is wrong.
std::string misdelivery(const Schedule& schedule, const Matrix<std::int64_t>& blocks);

/// An exchange whose copies are `copies`; per rank the same, per node the sum over its ranks.
Exchange exchange_from(const Matrix<std::int64_t>& copies,
                       std::vector<std::int32_t> node_of_rank,
                       Direction direction = Direction::Dispatch);

}  // namespace switchyard::testing

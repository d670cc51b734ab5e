// Mean of the rows of a table over groups of rows, column by column; only finite values count. The
// sum has eight parts, part i with every eighth member from the i-th on, in order, which are then
// added as a balanced tree.
#pragma once

#include <cstdint>

namespace switchyard {

inline constexpr std::int32_t kGroupMeanParts = 8;

/// Kernel arguments; device pointers. One block for each group.
struct GroupMeanArguments {
  const float* values = nullptr;          ///< [rows, columns] row-major
  const std::int32_t* members = nullptr;  ///< row indices, group after group
  const std::int32_t* first = nullptr;    ///< [groups + 1] where a group starts in `members`
  float* means = nullptr;                 ///< [groups, columns] out; NaN if no value is finite
  std::int32_t columns = 0;
};

}  // namespace switchyard

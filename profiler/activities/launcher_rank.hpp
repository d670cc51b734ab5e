// Which rank of a job this process is, as its launcher put it into the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace switchyard {

struct LauncherRank {
  std::int32_t rank = -1;        // -1 = no launcher told
  std::int32_t world_size = -1;  // -1 = not told
  std::string variable;          // where the rank was found
};

/// Reads, in this order: RANK with WORLD_SIZE (torchrun, the innermost launcher), Open MPI, PMIx,
/// MPICH and Intel MPI (PMI), Slurm, Flux, RANK alone, LOCAL_RANK. A value that is no whole number
/// is passed over. `variable` answers an environment variable, or nullptr.
LauncherRank find_launcher_rank(const std::function<const char*(const char*)>& variable);
/// Of this process.
LauncherRank find_launcher_rank();

}  // namespace switchyard

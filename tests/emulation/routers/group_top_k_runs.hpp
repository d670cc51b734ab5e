// The group-limited top-k kernels, run by the emulator and by the PTX machine, and the table of
// cases.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "kernels/routers/group_limited_top_k_launch.hpp"
#include "tests/emulation/ptx/ptx_machine.hpp"
#include "tests/emulation/routers/top_k_cases.hpp"

namespace switchyard {

struct GroupTopKCase {
  TopKCase rows;
  std::int32_t groups = 1;
  std::int32_t kept_groups = 1;
  bool sums_best_two = true;

  [[nodiscard]] std::string name() const;

  friend void PrintTo(const GroupTopKCase& test, std::ostream* out) { *out << test.name(); }
};

std::vector<GroupTopKCase> group_top_k_cases();

/// Small corrections, some of them equal.
std::vector<float> make_bias(const GroupTopKCase& test);

struct GroupTopKRunOptions {
  std::uint64_t schedule_seed = 0;
  std::int32_t multiprocessors = 1;  ///< changes the launch plan only
};

TopKResult emulated_group_top_k(const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const GroupTopKRunOptions& options = {});

struct PtxGroupTopKRun {
  TopKResult result;
  PtxCounters counters;
};

PtxGroupTopKRun ptx_group_top_k(const PtxModule& module,
                                const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const GroupTopKRunOptions& options = {});

}  // namespace switchyard

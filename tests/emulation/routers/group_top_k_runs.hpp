// The group-limited top-k kernels on a device of any kind, and the table of cases.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "kernels/routers/group_limited_top_k_launch.hpp"
#include "tests/emulation/devices/emulated_device.hpp"
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

TopKResult run_group_top_k(KernelDevice& device,
                           const GroupTopKCase& test,
                           const LogitBuffer& logits);

TopKResult emulated_group_top_k(const GroupTopKCase& test,
                                const LogitBuffer& logits,
                                const EmulationOptions& options = {});

}  // namespace switchyard

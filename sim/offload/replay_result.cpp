// Sums and ratios of what a replay counted, and the times of one expert.
#include <algorithm>

#include "sim/offload/replay.hpp"

namespace switchyard {

double ExpertTime::gpu(std::uint32_t tokens, std::int64_t bytes, bool is_quantised) const {
  const double rows = tokens;
  const double compute = (rows * flops_per_row + rebuild_flops) / flops_rate;
  const double memory = (static_cast<double>(bytes) + rows * row_bytes) / byte_rate;
  return std::max(compute, memory) + launch_s + (is_quantised ? expand_s : 0);
}

double ExpertTime::cpu(std::uint32_t tokens) const {
  return cpu_first_s + cpu_row_s * (static_cast<double>(tokens) - 1);
}

UseCounts& UseCounts::operator+=(const UseCounts& other) {
  uses += other.uses;
  hits += other.hits;
  prefetched += other.prefetched;
  late += other.late;
  loads += other.loads;
  computed_on_cpu += other.computed_on_cpu;
  skipped += other.skipped;
  return *this;
}

double UseCounts::hit_ratio() const {
  return uses > 0 ? static_cast<double>(hits) / static_cast<double>(uses) : 1;
}

double UseCounts::ready_ratio() const {
  return uses > 0 ? static_cast<double>(hits + prefetched) / static_cast<double>(uses) : 1;
}

double OffloadResult::seconds_per_token() const {
  return tokens > 0 ? total_s / static_cast<double>(tokens) : 0;
}

double OffloadResult::miss_penalty() const {
  return counts.uses > 0 ? load_equivalents / static_cast<double>(counts.uses) : 0;
}

}  // namespace switchyard

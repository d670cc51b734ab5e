// Tensor, data and pipeline parallelism around the expert-parallel group, and which GPUs they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/components/parameters.hpp"
#include "core/numbers/units.hpp"
#include "sim/exchange/schedule.hpp"

namespace switchyard {

/// The expert-parallel (EP) group is the fabric's first `ranks` GPUs. Inside it, `tensor`
/// neighbouring ranks form a tensor-parallel (TP) group; the whole group exists data x pipeline
/// times, one after another on the fabric: replica j of stage s starts at GPU (s x data + j) x
/// ranks. Every replica and stage is taken to do what the first one does.
struct ParallelGroups {
  std::size_t ranks = 0;
  std::size_t tensor = 1;
  std::size_t data = 1;
  std::size_t pipeline = 1;
  std::size_t micro_batches = 1;  // of one step; each is a step of the trace
  Bytes dense_gradients{0};       // per GPU and stage: gradients of all but the experts
  Bytes layer_allreduce{0};       // among all ranks in every layer, before the experts
  double gradient_overlap = 0;    // share of the gradient exchange hidden behind backward work

  [[nodiscard]] std::size_t tensor_group_of(std::size_t rank) const { return rank / tensor; }

  [[nodiscard]] std::size_t tensor_group_count() const { return ranks / tensor; }

  /// GPU of rank `rank` in replica `replica` of stage `stage`.
  [[nodiscard]] std::size_t gpu_of(std::size_t stage, std::size_t replica, std::size_t rank) const {
    return (stage * data + replica) * ranks + rank;
  }

  [[nodiscard]] std::size_t gpu_count() const { return ranks * data * pipeline; }
};

/// Reads the scenario's "parallel". Throws InvalidInput when the groups do not fit `available`
/// GPUs, or TP groups do not divide the ranks.
ParallelGroups read_parallel_groups(Parameters& parameters,
                                    std::size_t ranks,
                                    std::size_t available);

/// Members of every group, each in ring order, with the bytes of each member's part.
struct RingGroup {
  std::vector<std::size_t> members;
  std::vector<std::int64_t> bytes;  // [members]
};

/// Ring all-gather in every group at once: afterwards each member holds all parts. A member passes
/// on in round t the part it got in round t - 1 (Patarasuk and Yuan, JPDC 2009).
Schedule ring_allgather(std::size_t rank_count, const std::vector<RingGroup>& groups);
/// Its mirror image: afterwards each member holds the sum of its own part.
Schedule ring_reduce_scatter(std::size_t rank_count, const std::vector<RingGroup>& groups);
/// One after the other in one schedule.
Schedule ring_allreduce(std::size_t rank_count, const std::vector<RingGroup>& groups);

/// `bytes` in `parts` parts that differ by at most one.
std::vector<std::int64_t> equal_parts(std::int64_t bytes, std::size_t parts);

/// The tensor-parallel groups with each rank's bytes, [ranks].
std::vector<RingGroup> tensor_groups(const ParallelGroups& groups,
                                     const std::vector<std::int64_t>& rank_bytes);

}  // namespace switchyard

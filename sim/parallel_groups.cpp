#include "sim/parallel_groups.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "sim/exchange/schedule_builder.hpp"
#include "sim/rank_work.hpp"

namespace switchyard {
namespace {

// Rounds of a ring: in round t the member at position p sends part `part(p, t)` to its successor.
void add_rounds(ScheduleBuilder& builder,
                RoundOrder& order,
                const std::vector<RingGroup>& groups,
                const std::function<std::size_t(std::size_t, std::size_t, std::size_t)>& part) {
  std::size_t longest = 0;
  for (const RingGroup& group : groups) {
    longest = std::max(longest, group.members.size());
  }
  for (std::size_t round = 0; round + 1 < longest; ++round) {
    for (const RingGroup& group : groups) {
      const std::size_t size = group.members.size();
      for (std::size_t place = 0; round + 1 < size && place < size; ++place) {
        order.add(builder,
                  group.members[place],
                  group.members[(place + 1) % size],
                  group.bytes[part(place, round, size)]);
      }
    }
    order.end_round();
  }
}

// A gathered part leaves its owner first.
std::size_t gathered_part(std::size_t place, std::size_t round, std::size_t size) {
  return (place + size - round) % size;
}

// A summed part reaches its owner last.
std::size_t summed_part(std::size_t place, std::size_t round, std::size_t size) {
  return (place + 2 * size - round - 1) % size;
}

}  // namespace

ParallelGroups read_parallel_groups(Parameters& parameters,
                                    std::size_t ranks,
                                    std::size_t available) {
  constexpr Bounds<std::int64_t> kSizes{1, 1 << 20};
  const auto size = [&](const char* name, const char* sentence) {
    return static_cast<std::size_t>(parameters.get_integer(name, 1, kSizes, sentence));
  };
  ParallelGroups groups{.ranks = ranks};
  groups.tensor = size("tensor", "neighbouring ranks of the group that share attention (TP)");
  groups.data = size("data", "copies of the expert-parallel group that share gradients (DP)");
  groups.pipeline = size("pipeline", "stages that share the layers (PP)");
  groups.micro_batches =
      size("micro_batches", "micro-batches of a step, each as large as a step of the trace");
  groups.dense_gradients = parameters.get_bytes(
      "dense_gradients", Bytes{0}, "gradients of all but the experts, per GPU");
  groups.layer_allreduce = parameters.get_bytes(
      "layer_allreduce", Bytes{0}, "that all ranks sum in every layer, such as router statistics");
  groups.gradient_overlap = parameters.get_number(
      "gradient_overlap", 0, {0, 1}, "share of the gradient exchange hidden behind backward work");
  parameters.finish();
  if (ranks % groups.tensor != 0) {
    throw InvalidInput(
        fmt::format(
            "tensor-parallel groups of {} do not divide the {} ranks", groups.tensor, ranks),
        parameters.where().child("tensor"),
        "choose a divisor of the number of ranks");
  }
  if (groups.gpu_count() > available) {
    throw InvalidInput(fmt::format("{} ranks x {} data x {} pipeline = {} GPUs, but the topology "
                                   "has {}",
                                   ranks,
                                   groups.data,
                                   groups.pipeline,
                                   groups.gpu_count(),
                                   available),
                       parameters.where(),
                       "set a smaller expert-parallel group (--ranks) or a larger topology");
  }
  return groups;
}

Schedule ring_allgather(std::size_t rank_count, const std::vector<RingGroup>& groups) {
  ScheduleBuilder builder(rank_count);
  RoundOrder order(rank_count);
  add_rounds(builder, order, groups, gathered_part);
  return builder.take();
}

Schedule ring_reduce_scatter(std::size_t rank_count, const std::vector<RingGroup>& groups) {
  ScheduleBuilder builder(rank_count);
  RoundOrder order(rank_count);
  add_rounds(builder, order, groups, summed_part);
  return builder.take();
}

Schedule ring_allreduce(std::size_t rank_count, const std::vector<RingGroup>& groups) {
  ScheduleBuilder builder(rank_count);
  RoundOrder order(rank_count);
  add_rounds(builder, order, groups, summed_part);
  add_rounds(builder, order, groups, gathered_part);
  return builder.take();
}

std::vector<std::int64_t> equal_parts(std::int64_t bytes, std::size_t parts) {
  std::vector<std::int64_t> sizes;
  for (std::size_t part = 0; part < parts; ++part) {
    const Share share{static_cast<std::int64_t>(part), static_cast<std::int64_t>(parts)};
    sizes.push_back(share.of(bytes));
  }
  return sizes;
}

std::vector<RingGroup> tensor_groups(const ParallelGroups& groups,
                                     const std::vector<std::int64_t>& rank_bytes) {
  std::vector<RingGroup> rings(groups.tensor_group_count());
  for (std::size_t rank = 0; rank < groups.ranks; ++rank) {
    RingGroup& ring = rings[groups.tensor_group_of(rank)];
    ring.members.push_back(rank);
    ring.bytes.push_back(rank_bytes[rank]);
  }
  return rings;
}

}  // namespace switchyard

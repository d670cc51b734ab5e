// Host and SSD links of a GPU, read off a fabric.
#pragma once

#include "sim/offload/replay.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// The way from the first GPU's node's host memory to it, and from the node's SSD to that memory:
/// bandwidth of the narrowest link (shared ones divided by the GPUs behind them), sum of latencies.
/// `gpus_per_link` is the number of GPUs that share the narrowest link; `gpus` those of the node. A
/// fabric without host memory has no host link. Throws InvalidInput if it has neither.
MemoryTier tier_of(const Fabric& fabric, const Location& where);

}  // namespace switchyard

// Overlap: in which order the stages of a layer are issued, in how many pieces, and what waits for
// what. One .cpp in sim/overlap/ each; no time in it.
//
// The machine behind it: each rank has one compute queue and one network queue, as a GPU program
// with two streams. Phases of a queue run one after another in the order of issue; a collective
// starts when its last rank is ready.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/components/registry.hpp"
#include "sim/layer_schedule.hpp"

namespace switchyard {

/// A share of a stage, issued at its place in the list.
struct PlannedPhase {
  std::size_t stage = 0;
  Share share;
  /// Earlier phases of the list that must have finished on the rank; none = its batch's previous
  /// layer.
  std::vector<std::size_t> after;
  std::size_t batch = 0;  // micro-batch it belongs to
  /// The phase may start this share of min(its own, its predecessors' longest) time before they
  /// finish, as if both ran in small pieces; it still ends no sooner than they do.
  double lead = 0;
};

class Overlap {
 public:
  Overlap() = default;
  Overlap(const Overlap&) = delete;
  Overlap& operator=(const Overlap&) = delete;
  Overlap(Overlap&&) = delete;
  Overlap& operator=(Overlap&&) = delete;
  virtual ~Overlap() = default;

  /// Micro-batches that run side by side through all layers.
  [[nodiscard]] virtual std::size_t batch_count() const { return 1; }

  /// Phases of one layer in the order of issue; the shares of each stage add up to the whole.
  [[nodiscard]] virtual std::vector<PlannedPhase> arrange(std::span<const Stage> stages) const = 0;
};

extern template class Registry<Overlap>;

/// One phase per stage, each after the one before.
std::vector<PlannedPhase> in_sequence(std::span<const Stage> stages);

/// [first, last) of the stages from the first exchange to the last one (its experts inside it);
/// everything if there is no exchange around experts.
struct StageRange {
  std::size_t first = 0;
  std::size_t last = 0;
};

StageRange expert_part(std::span<const Stage> stages);

/// Cuts [range) into runs of stages that use the same queue.
std::vector<StageRange> legs(std::span<const Stage> stages, StageRange range);

}  // namespace switchyard

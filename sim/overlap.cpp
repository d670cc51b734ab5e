#include "sim/overlap.hpp"

namespace switchyard {

template class Registry<Overlap>;

std::vector<PlannedPhase> in_sequence(std::span<const Stage> stages) {
  std::vector<PlannedPhase> phases;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    phases.push_back({.stage = stage, .share = {}, .after = {}});
    if (stage > 0) {
      phases.back().after = {stage - 1};
    }
  }
  return phases;
}

StageRange expert_part(std::span<const Stage> stages) {
  std::size_t experts = 0;
  while (experts < stages.size() && stages[experts].kind != StageKind::Experts) {
    ++experts;
  }
  if (experts == stages.size()) {
    return {0, stages.size()};
  }
  StageRange part{experts, experts + 1};
  while (part.first > 0 && is_communication(stages[part.first - 1].kind)) {
    --part.first;
  }
  while (part.last < stages.size() && is_communication(stages[part.last].kind)) {
    ++part.last;
  }
  return part;
}

std::vector<StageRange> legs(std::span<const Stage> stages, StageRange range) {
  std::vector<StageRange> found;
  for (std::size_t stage = range.first; stage < range.last; ++stage) {
    const bool continues = !found.empty() && is_communication(stages[stage - 1].kind) ==
                                                 is_communication(stages[stage].kind);
    if (continues) {
      found.back().last = stage + 1;
    } else {
      found.push_back({stage, stage + 1});
    }
  }
  return found;
}

}  // namespace switchyard

// What a step costs beyond its layers: gradients between copies of the expert-parallel group,
// activations between pipeline stages, and the pipeline's bubble.
#pragma once

#include <string>
#include <vector>

#include "sim/replay/result.hpp"
#include "sim/replay/scenario.hpp"

namespace switchyard {

/// Turns total.step_s, the mean time of one micro-batch in all layers, into the time of a step:
///   step = layers + (stages - 1) x hop + (micro_batches - 1) x (slowest stage + hop) + gradients
/// (GPipe and 1F1B alike; Huang et al., NeurIPS 2019, Narayanan et al., SOSP 2019), with the layers
/// cut into stages of equally many. Does nothing when there is one copy, stage and micro-batch.
void add_step_exchanges(const Scenario& scenario,
                        const std::vector<LayerResult>& layers,
                        TotalResult& total);

/// What could not be priced, and what was assumed of the other copies, in words.
void add_schedule_notes(const Scenario& scenario,
                        Fidelity fidelity,
                        std::vector<std::string>& notes);

}  // namespace switchyard

// Which experts a layer seems to need, seen from a layer before it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/offload/access_stream.hpp"

namespace switchyard {

/// How prefetching decides. HOBBIT (arXiv 2411.01433) applies the gates of the next
/// `horizon` layers to the current gate's input; AdapMoE that of the next layer alone.
struct PrefetchRule {
  std::size_t horizon = 0;       // layers ahead; 0 = nothing is prefetched
  std::vector<double> accuracy;  // [horizon] of a prediction 1, 2, ... layers ahead
  std::vector<double> by_layer;  // [layers] or empty: of predictions for that layer, any distance
  std::size_t limit = 0;         // copies a decision may start; 0 = all that are missing
  bool errs_by_layer = false;    // a layer's experts are right or wrong together
  std::size_t known_ahead = 0;   // layers whose routing is decided early (Read-ME): no mistakes

  /// Of a prediction for `layer` made `distance` layers before.
  [[nodiscard]] double accuracy_of(std::size_t layer, std::size_t distance) const;
};

/// The experts predicted `distance` layers ahead for a visit: those of `truth`, each replaced by
/// another expert, drawn uniformly, where the prediction is wrong. Equal seed, pass, layer and
/// distance give equal predictions.
void predict(std::span<const ExpertDemand> truth,
             std::size_t experts,
             double accuracy,
             bool errs_by_layer,
             std::uint64_t seed,
             std::vector<ExpertDemand>& predicted);

}  // namespace switchyard

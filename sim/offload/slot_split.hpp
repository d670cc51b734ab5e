// How a cache is split over the layers: AdapMoE's dynamic programme (arXiv 2408.10284; authors'
// code), over its expected loads or over those measured on a trace.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "sim/offload/access_stream.hpp"

namespace switchyard {

/// One layer's demand, as the split sees it.
struct LayerDemand {
  std::vector<double> choices;  // [k + 1] share of tokens that use j experts
  double accuracy = 0;          // of the prediction made a layer earlier, 0 to 1
  std::size_t prefetched = 1;   // most experts fetched on a prediction; 0 = none
};

/// Expected loads on demand per token with `slots` of `experts` cached and uniform routing. Of j
/// distinct experts m are missing with hypergeometric probability P_j(m), and a right prediction
/// has fetched min(m, prefetched) of them:
///   f = sum_j choices_j sum_m P_j(m) (m - accuracy min(m, prefetched)).
/// With k = 2 and one prefetch this is AdapMoE's f(layer, slots).
double expected_loads(const LayerDemand& demand, std::size_t experts, std::size_t slots);

/// Loads of each layer, [layers, experts + 1], if it had 0, 1, ... slots under LRU: all sizes in
/// one pass by stack distances (Mattson et al., IBM Systems Journal 9(2), 1970).
Matrix<double> measured_loads(const AccessStream& stream);

/// Slots for each layer, [layers], of least total cost, `budget` or fewer in all; `costs`
/// [layers, slots + 1] is the cost of 0, 1, ... slots. Dynamic programming, exact; a layer may get
/// none (the authors' code gives every layer one while there are any).
std::vector<std::size_t> split_slots(const Matrix<double>& costs, std::size_t budget);

/// `budget` slots in equal parts, the first layers one more where it does not divide.
std::vector<std::size_t> equal_slots(std::size_t layers, std::size_t budget);

}  // namespace switchyard

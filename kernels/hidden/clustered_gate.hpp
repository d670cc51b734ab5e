// The gate of Adaptive Clustering on a device: sort tokens by cluster, statistics, weighed
// projection, choice; seven launches (eight in compatible mode), two for a plain layer.
#pragma once

#include "kernels/device/executor_choice.hpp"
#include "kernels/router.hpp"
#include "kernels/stages/adaptive_clustering.hpp"

namespace switchyard {

inline constexpr KernelRoom kClusteredRoom{.experts = 1024, .slots = 32};

struct ClusteredGate {
  MatrixView<const float> hidden;             // [tokens, width]
  MatrixView<const float> gate;               // [experts, width], scaled as the router wants
  const RoutingDecision* before = nullptr;    // labels of the tokens; null: a plain gate
  std::span<const std::int32_t> labels = {};  // [tokens] best expert of the layer before
  ClusterWeightOptions weights = {};
  bool mixes = false;                // weigh by all experts of the layer before
  bool replaces_non_finite = false;  // as the released code does
  std::size_t slots = 1;             // experts kept
};

/// The bits of the router `ac` on the CPU, from the current device, within kClusteredRoom. Throws
/// MissingCapability without a usable GPU or for tables of more than 2^30 entries.
RoutingDecision route_clustered_on_device(const ClusteredGate& request);

/// cluster_weights() of kernels/stages/adaptive_clustering.hpp, to the last bit.
Matrix<float> cluster_weights_on_device(MatrixView<const float> hidden,
                                        std::span<const std::int32_t> labels,
                                        std::size_t clusters,
                                        const ClusterWeightOptions& options);

/// segment_means() of the same header, to the last bit.
Matrix<float> segment_means_on_device(MatrixView<const float> hidden,
                                      std::span<const std::int32_t> starts);

/// project_in_order() of kernels/stages/ordered_projection.hpp, to the last bit.
Matrix<float> project_on_device(MatrixView<const float> hidden, MatrixView<const float> gate);

}  // namespace switchyard

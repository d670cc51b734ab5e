// The cluster-statistics kernels.
#include "kernels/device/kernel.cuh"
#include "kernels/hidden/cluster_statistics.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_cluster_means, ClusterArguments, kClusterTile) {
  cluster_means_of_block(arguments);
}

SWITCHYARD_KERNEL(switchyard_cluster_deviations, ClusterArguments, kClusterTile) {
  cluster_deviations_of_block(arguments);
}

SWITCHYARD_KERNEL(switchyard_cluster_normalise, ClusterArguments, kClusterTile) {
  normalise_clusters_of_block(arguments);
}

}  // namespace switchyard

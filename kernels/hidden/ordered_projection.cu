// The ordered projection kernels.
#include "kernels/device/kernel.cuh"
#include "kernels/hidden/ordered_projection.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_project_plain, ProjectionArguments, kProjectWarps * 32) {
  project_of_block<TokenWeighing::None>(arguments);
}

SWITCHYARD_KERNEL(switchyard_project_weighed, ProjectionArguments, kProjectWarps * 32) {
  project_of_block<TokenWeighing::ByCluster>(arguments);
}

SWITCHYARD_KERNEL(switchyard_project_mixed, ProjectionArguments, kProjectWarps * 32) {
  project_of_block<TokenWeighing::ByMixture>(arguments);
}

SWITCHYARD_KERNEL(switchyard_replace_non_finite, FiniteArguments, kProjectWarps * 32) {
  replace_non_finite_of_block(arguments);
}

}  // namespace switchyard

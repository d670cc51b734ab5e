// The kernels of the routers that pool: LocMoE and Expert-Token Resonance.
#include "kernels/device/kernel.cuh"
#include "kernels/hidden/grouped_pooling.cuh"
#include "kernels/hidden/resonance.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_pool, PoolingArguments, kPoolWarps * 32) {
  pool_of_block(arguments);
}

SWITCHYARD_KERNEL(switchyard_resonance_bound, ResonanceArguments, kResonanceThreads) {
  resonance_bound_of_block(arguments);
}

SWITCHYARD_KERNEL(switchyard_resonance_choose, ResonanceArguments, kResonanceThreads) {
  resonance_choose_of_block(arguments);
}

}  // namespace switchyard

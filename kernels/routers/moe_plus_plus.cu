// The MoE++ kernels: three sizes, and the one that drops.
#include "kernels/device/kernel.cuh"
#include "kernels/routers/moe_plus_plus.cuh"

namespace switchyard {

SWITCHYARD_KERNEL(switchyard_plus_plus_e64_k8, PlusPlusArguments, kPlusPlusWarps * 32) {
  plus_plus_of_block<64, 8>(arguments);
}

SWITCHYARD_KERNEL(switchyard_plus_plus_e256_k8, PlusPlusArguments, kPlusPlusWarps * 32) {
  plus_plus_of_block<256, 8>(arguments);
}

SWITCHYARD_KERNEL(switchyard_plus_plus_e1024_k32, PlusPlusArguments, kPlusPlusWarps * 32) {
  plus_plus_of_block<1024, 32>(arguments);
}

SWITCHYARD_KERNEL(switchyard_drop_beyond_room, DropArguments, kDropThreads) {
  drop_of_block(arguments);
}

}  // namespace switchyard

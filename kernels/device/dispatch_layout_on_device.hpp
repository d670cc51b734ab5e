// Dispatch layout on the GPU: copies in, two launches, copies out.
#pragma once

#include "kernels/stages/dispatch_layout.hpp"

namespace switchyard {

/// The same numbers as dispatch_layout(). Throws InvalidInput like it, and MissingCapability
/// without a usable GPU or beyond kLayoutMaxExperts, kLayoutMaxRanks or kLayoutMaxSlots.
DispatchLayout dispatch_layout_on_device(const LayoutRequest& request);

}  // namespace switchyard

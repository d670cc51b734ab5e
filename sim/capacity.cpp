// The registry of capacity policies.
#include "sim/capacity.hpp"

namespace switchyard {

template class Registry<CapacityPolicy>;

}  // namespace switchyard

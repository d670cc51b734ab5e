// The registry of cache policies.
#include "sim/cache_policy.hpp"

namespace switchyard {

template class Registry<CachePolicy>;

}  // namespace switchyard

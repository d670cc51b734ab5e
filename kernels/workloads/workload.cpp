#include "kernels/workloads/workload.hpp"

namespace switchyard {

template class Registry<Workload>;

}  // namespace switchyard

#include "kernels/workloads/workload.hpp"

#include <algorithm>

#include <omp.h>

namespace switchyard {
namespace {

constexpr std::size_t kRunBytes = std::size_t{2}
                                  << 20U;  // of each core: its share of the last cache
constexpr std::size_t kRowsAtOnce = 128;   // as the gate projection takes them

}  // namespace

template class Registry<Workload>;

void fill_in_runs(MatrixView<float> hidden,
                  const std::function<void(std::size_t first, MatrixView<float> run)>& fill,
                  const RowsFilled& filled) {
  const std::size_t row_bytes = std::max<std::size_t>(1, hidden.columns() * sizeof(float));
  const std::size_t rows_of_core =
      std::max<std::size_t>(1, kRunBytes / row_bytes / kRowsAtOnce) * kRowsAtOnce;
  const std::size_t run = rows_of_core * static_cast<std::size_t>(omp_get_max_threads());
  for (std::size_t first = 0; first < hidden.rows(); first += run) {
    const std::size_t count = std::min(run, hidden.rows() - first);
    fill(first, hidden.part(first, count));
    filled(first, count);
  }
}

}  // namespace switchyard

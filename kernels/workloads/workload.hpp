// Where hidden states and gate weights come from: a generator, or tensors of the user. One .cpp in
// kernels/workloads/ per source. Everything a workload answers depends on its parameters and the
// arguments alone, never on the order of calls or the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"

namespace switchyard {

struct WorkloadShape {
  std::size_t steps = 0;
  std::size_t layers = 0;  // MoE layers
  std::size_t ranks = 0;
  std::size_t hidden = 0;
  std::size_t experts = 0;
};

/// Tokens of one source rank in one step, the same ones at every layer.
struct WorkloadTokens {
  std::vector<std::int64_t> token_ids;     // [tokens] vocabulary ids, or empty
  std::vector<std::int64_t> sequence_ids;  // [tokens] or empty
  std::vector<std::uint8_t> modality;      // [tokens] 0 = text, 1 = image; or empty
};

/// Told of rows [first, first + count) as soon as they are filled.
using RowsFilled = std::function<void(std::size_t first, std::size_t count)>;

/// One source rank at one layer of one step, each counted from 0.
struct WorkloadPlace {
  std::size_t step = 0;
  std::size_t layer = 0;
  std::size_t rank = 0;
};

// clang-format off
/// | hook          | when                                                | gives                    |
/// |---------------|-----------------------------------------------------|--------------------------|
/// | shape()       | first                                               | sizes                    |
/// | token_count() | per step and rank                                   | tokens on that rank      |
/// | gate()        | once per layer                                      | [experts, hidden] weights|
/// | tokens()      | per step and rank                                   | what tokens carry along  |
/// | fill_hidden() | per place, layers in ascending order for given rank | [tokens, hidden] states  |
// clang-format on
class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  Workload(Workload&&) = delete;
  Workload& operator=(Workload&&) = delete;
  virtual ~Workload() = default;

  [[nodiscard]] virtual WorkloadShape shape() const = 0;
  [[nodiscard]] virtual std::size_t token_count(std::size_t rank) const = 0;
  /// One sentence for the trace's metadata.
  [[nodiscard]] virtual std::string provenance() const = 0;
  [[nodiscard]] virtual Matrix<float> gate(std::size_t layer) const = 0;
  [[nodiscard]] virtual WorkloadTokens tokens(std::size_t step, std::size_t rank) const = 0;
  /// On entry `hidden` holds what the call for the layer before left (anything at layer 0). All
  /// rows are filled in order, in runs that fill_in_runs() chooses.
  virtual void fill_hidden(const WorkloadPlace& place,
                           MatrixView<float> hidden,
                           const RowsFilled& filled) const = 0;
};

/// Calls `fill` for run after run of the rows, then `filled`: runs are short enough for whoever
/// reads them then to find them in a cache, and long enough to share out between all cores.
void fill_in_runs(MatrixView<float> hidden,
                  const std::function<void(std::size_t first, MatrixView<float> run)>& fill,
                  const RowsFilled& filled);

extern template class Registry<Workload>;

}  // namespace switchyard

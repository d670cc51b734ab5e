// Selection from the experts' side on a device: a table of scores, a threshold for each expert, and
// the tokens' view of it. The twin of kernels/stages/expert_side.hpp.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "kernels/device/rows_on_device.hpp"

namespace switchyard {

/// The thresholds that take the `capacity[row]` best tokens of each row of `table`, [rows, tokens]
/// in device memory. One launch.
class TokenThresholds {
 public:
  TokenThresholds(KernelDevice& device,
                  const float* table,
                  std::int32_t tokens,
                  std::span<const std::int32_t> capacity);

  [[nodiscard]] const TokenThreshold* address() const { return thresholds_.address(); }

 private:
  DeviceArray<std::int32_t> capacity_;
  DeviceArray<TokenThreshold> thresholds_;
};

/// One number for each row of `values`, [rows, columns]: the mean, or the sum of magnitudes. One
/// launch. The host's twins are row_mean() and magnitude_sum().
DeviceArray<float> row_means_on_device(KernelDevice& device, MatrixView<const float> values);
DeviceArray<float> magnitude_sums_on_device(KernelDevice& device, MatrixView<const float> values);

/// Fills `arguments.table` by the kernels that `router`.cu names with SWITCHYARD_SCORE_TABLE. One
/// launch.
void fill_score_table(KernelDevice& device, std::string_view router, const RowArguments& arguments);

/// Expert choice: fills the router's table of scores, takes each expert's best tokens, and lets
/// each token keep its best slots. Three launches: table, thresholds, rows.
RoutingDecision expert_choice_on_device(RowsOnDevice& rows,
                                        std::string_view router,
                                        RowArguments arguments,
                                        std::span<const std::int32_t> capacity);

}  // namespace switchyard

#include "kernels/device/expert_side_on_device.hpp"

#include <fmt/core.h>

#include "kernels/device/row_sums.hpp"
#include "kernels/device/token_count.hpp"
#include "kernels/device/token_thresholds.hpp"

namespace switchyard {
namespace {

DeviceArray<float> row_sums(KernelDevice& device,
                            MatrixView<const float> values,
                            bool is_absolute) {
  if (values.columns() > static_cast<std::size_t>(kRowSumMaxColumns)) {
    throw MissingCapability(fmt::format("the row-sum kernel serves up to {} columns, not {}",
                                        kRowSumMaxColumns,
                                        values.columns()),
                            {},
                            "choose the CPU executor");
  }
  DeviceArray<float> sums(device, values.rows());
  const DeviceArray<float> copy(device, values.values());
  const std::int32_t rows = device_token_count(values.rows());
  device.launch(
      "switchyard_row_sums",
      (rows + kRowSumWarps - 1) / kRowSumWarps,
      kRowSumWarps * 32,
      RowSumArguments{.values = copy.address(),
                      .sums = sums.address(),
                      .rows = rows,
                      .columns = static_cast<std::int32_t>(values.columns()),
                      .divisor = is_absolute ? 1.0F : static_cast<float>(values.columns()),
                      .is_absolute = is_absolute});
  return sums;
}

/// The size of the table kernels that has room for this many experts.
std::int32_t table_tier(std::int32_t experts) {
  return experts <= 64 ? 64 : experts <= 256 ? 256 : kRowMaxExperts;
}

}  // namespace

TokenThresholds::TokenThresholds(KernelDevice& device,
                                 const float* table,
                                 std::int32_t tokens,
                                 std::span<const std::int32_t> capacity)
    : capacity_(device, capacity), thresholds_(device, capacity.size()) {
  device.launch("switchyard_token_thresholds",
                tokens == 0 ? 0 : static_cast<std::int32_t>(capacity.size()),
                kThresholdThreads,
                ThresholdArguments{.table = table,
                                   .capacity = capacity_.address(),
                                   .thresholds = thresholds_.address(),
                                   .tokens = tokens});
}

DeviceArray<float> row_means_on_device(KernelDevice& device, MatrixView<const float> values) {
  return row_sums(device, values, false);
}

DeviceArray<float> magnitude_sums_on_device(KernelDevice& device, MatrixView<const float> values) {
  return row_sums(device, values, true);
}

void fill_score_table(KernelDevice& device,
                      std::string_view router,
                      const RowArguments& arguments) {
  const std::int32_t tier = table_tier(arguments.experts);
  const std::int32_t tokens_of_block = tier == 64 ? 16 : 8;
  device.launch(fmt::format("switchyard_{}_table_e{}", router, tier),
                (arguments.tokens + tokens_of_block - 1) / tokens_of_block,
                kRowWarps * 32,
                arguments);
}

RoutingDecision expert_choice_on_device(RowsOnDevice& rows,
                                        std::string_view router,
                                        RowArguments arguments,
                                        std::span<const std::int32_t> capacity) {
  const DeviceArray<float> table(
      rows.device(),
      static_cast<std::size_t>(arguments.tokens) * static_cast<std::size_t>(arguments.experts));
  arguments.table = table.address();
  fill_score_table(rows.device(), router, arguments);
  const TokenThresholds thresholds(rows.device(), table.address(), arguments.tokens, capacity);
  arguments.expert_thresholds = thresholds.address();
  rows.route(router, arguments);
  return rows.decision();
}

}  // namespace switchyard

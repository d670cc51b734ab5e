// Readers of single rows in whichever type the file has.
#include <algorithm>

#include "core/check.hpp"
#include "traces/files/half_precision.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

float number_at(FloatRows::Type type, const void* values, std::size_t index) {
  switch (type) {
    case FloatRows::Type::F16:
      return float_from_f16(static_cast<const std::uint16_t*>(values)[index]);
    case FloatRows::Type::BF16:
      return float_from_bf16(static_cast<const std::uint16_t*>(values)[index]);
    default:
      return static_cast<const float*>(values)[index];
  }
}

std::vector<std::int32_t> wide_ids(const ExpertIds& ids) {
  return ids.visit([]<class T>(std::span<const T> narrow) {
    std::vector<std::int32_t> wide(narrow.size());
    std::transform(narrow.begin(), narrow.end(), wide.begin(), [](T id) {
      return id == static_cast<T>(~T{0}) ? kNoExpert : static_cast<std::int32_t>(id);
    });
    return wide;
  });
}

std::vector<float> floats(const std::optional<FloatRows>& rows) {
  std::vector<float> values;
  if (rows) {
    values.resize(rows->rows() * rows->columns());
    for (std::size_t row = 0; row < rows->rows(); ++row) {
      rows->copy_row(row, std::span(values).subspan(row * rows->columns(), rows->columns()));
    }
  }
  return values;
}

}  // namespace

std::int32_t ExpertIds::at(std::size_t row, std::size_t choice) const {
  SWITCHYARD_CHECK(row < rows_ && choice < top_k_, "no such row or choice");
  return visit([index = row * top_k_ + choice]<class T>(std::span<const T> ids) {
    const T id = ids[index];
    return id == static_cast<T>(~T{0}) ? kNoExpert : static_cast<std::int32_t>(id);
  });
}

float FloatRows::at(std::size_t row, std::size_t column) const {
  SWITCHYARD_CHECK(row < rows_ && column < columns_, "no such row or column");
  return number_at(type_, values_, row * columns_ + column);
}

void FloatRows::copy_row(std::size_t row, std::span<float> out) const {
  SWITCHYARD_CHECK(row < rows_ && out.size() == columns_, "no such row, or no room for it");
  for (std::size_t column = 0; column < columns_; ++column) {
    out[column] = number_at(type_, values_, row * columns_ + column);
  }
}

TraceColumns copy_rows(const RoutingTrace& trace, const Chunk& rows) {
  TraceColumns columns;
  columns.expert_ids = wide_ids(trace.expert_ids(rows));
  columns.gate_weights = floats(trace.gate_weights(rows));
  columns.logits = floats(trace.logits(rows));
  columns.token_ids = trace.token_ids(rows).value_or(std::vector<std::int64_t>());
  columns.sequence_ids = trace.sequence_ids(rows).value_or(std::vector<std::int64_t>());
  columns.modality = trace.modality(rows).value_or(std::vector<std::uint8_t>());
  columns.alive = trace.alive(rows).value_or(std::vector<std::uint8_t>());
  columns.precision = trace.precision(rows).value_or(std::vector<std::uint8_t>());
  return columns;
}

}  // namespace switchyard

// Columns in memory and arrays in a file are held alike, as tensors; everything behind open() and
// from_columns() is shared.
#include "traces/routing_trace.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "traces/routing_trace_state.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kChunkFields = 5;
constexpr std::array<std::string_view, 8> kArrayNames{"expert_ids",
                                                      "gate_weights",
                                                      "logits",
                                                      "token_ids",
                                                      "sequence_ids",
                                                      "modality",
                                                      "alive",
                                                      "precision"};

template <class T>
Tensor tensor_over(std::string name,
                   TensorType type,
                   const std::vector<T>& values,
                   std::vector<std::size_t> shape) {
  return {std::move(name), type, std::move(shape), std::as_bytes(std::span(values))};
}

// Rows [first, first + count) of an array whose first extent is rows.
std::span<const std::byte> rows_of(const Tensor& tensor, const Chunk& chunk) {
  const std::size_t stride = tensor.bytes.size() / tensor.shape.front();
  return tensor.bytes.subspan(static_cast<std::size_t>(chunk.first_row) * stride,
                              static_cast<std::size_t>(chunk.row_count) * stride);
}

template <class T>
std::vector<std::int64_t> widen(std::span<const std::byte> bytes) {
  const std::span<const T> values{reinterpret_cast<const T*>(bytes.data()),
                                  bytes.size() / sizeof(T)};
  return {values.begin(), values.end()};
}

std::vector<std::int64_t> widen(TensorType type, std::span<const std::byte> bytes) {
  switch (type) {
    case TensorType::U8:
      return widen<std::uint8_t>(bytes);
    case TensorType::U16:
      return widen<std::uint16_t>(bytes);
    case TensorType::I16:
      return widen<std::int16_t>(bytes);
    case TensorType::U32:
      return widen<std::uint32_t>(bytes);
    case TensorType::I32:
      return widen<std::int32_t>(bytes);
    default:
      return widen<std::int64_t>(bytes);
  }
}

std::optional<FloatRows> float_rows(const Tensor* tensor, const Chunk& chunk) {
  if (tensor == nullptr) {
    return std::nullopt;
  }
  const auto type = tensor->type == TensorType::F16    ? FloatRows::Type::F16
                    : tensor->type == TensorType::BF16 ? FloatRows::Type::BF16
                                                       : FloatRows::Type::F32;
  return FloatRows(type,
                   rows_of(*tensor, chunk).data(),
                   static_cast<std::size_t>(chunk.row_count),
                   tensor->shape.at(1));
}

std::optional<std::vector<std::int64_t>> integers(const Tensor* tensor, const Chunk& chunk) {
  if (tensor == nullptr) {
    return std::nullopt;
  }
  return widen(tensor->type, rows_of(*tensor, chunk));
}

std::optional<std::vector<std::uint8_t>> small_numbers(const Tensor* tensor, const Chunk& chunk) {
  if (tensor == nullptr) {
    return std::nullopt;
  }
  const std::span<const std::byte> bytes = rows_of(*tensor, chunk);
  const auto* values = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return std::vector<std::uint8_t>(values, values + bytes.size());
}

}  // namespace

RoutingTrace RoutingTrace::open(const std::filesystem::path& path) {
  auto state = std::make_unique<State>();
  const SafetensorsFile& file = state->file.emplace(path);
  state->where = file.where();
  state->metadata = metadata_from_strings(file.metadata(), state->where);
  for (const std::string_view name : kArrayNames) {
    if (const Tensor* tensor = file.find(std::string(name))) {
      state->arrays.emplace(name, *tensor);
    }
  }
  const Tensor& ids = file.at("expert_ids");
  state->rows = ids.shape.empty() ? 0 : ids.shape.front();
  const Tensor& chunks = file.at("chunks");
  if (chunks.type != TensorType::I64 || chunks.shape.size() != 2 ||
      chunks.shape[1] != kChunkFields) {
    throw InvalidInput(chunks.shape_text() + " should be I64 [chunks, 5]", file.where("chunks"));
  }
  const auto fields = chunks.values<std::int64_t>();
  for (std::size_t i = 0; i < fields.size(); i += kChunkFields) {
    state->chunks.push_back(
        {fields[i], fields[i + 1], fields[i + 2], fields[i + 3], fields[i + 4]});
  }
  state->check();
  return RoutingTrace(std::move(state));
}

RoutingTrace RoutingTrace::from_columns(TraceMetadata metadata,
                                        TraceColumns columns,
                                        const Location& where) {
  auto state = std::make_unique<State>();
  state->metadata = std::move(metadata);
  state->where = where;
  state->columns = std::move(columns);
  const TraceColumns& held = state->columns;
  state->chunks = held.chunks;
  std::size_t rows = 0;
  for (const Chunk& chunk : held.chunks) {
    rows += static_cast<std::size_t>(std::max<std::int64_t>(0, chunk.row_count));
  }
  state->rows = rows;
  if (rows == 0 || held.expert_ids.empty()) {
    throw InvalidInput("holds no tokens", where);
  }
  const auto add =
      [&]<class T>(
          const char* name, TensorType type, const std::vector<T>& values, std::size_t dimensions) {
        if (values.empty()) {
          return;
        }
        if (values.size() % rows != 0 || (dimensions == 1 && values.size() != rows)) {
          throw InvalidInput(fmt::format("{} has {} values for {} rows", name, values.size(), rows),
                             where);
        }
        std::vector<std::size_t> shape{rows};
        if (dimensions == 2) {
          shape.push_back(values.size() / rows);
        }
        state->arrays.emplace(name, tensor_over(name, type, values, std::move(shape)));
      };
  add("expert_ids", TensorType::I32, held.expert_ids, 2);
  add("gate_weights", TensorType::F32, held.gate_weights, 2);
  add("logits", TensorType::F32, held.logits, 2);
  add("token_ids", TensorType::I64, held.token_ids, 1);
  add("sequence_ids", TensorType::I64, held.sequence_ids, 1);
  add("modality", TensorType::U8, held.modality, 1);
  add("alive", TensorType::U8, held.alive, 1);
  add("precision", TensorType::U8, held.precision, 1);
  state->check();
  return RoutingTrace(std::move(state));
}

RoutingTrace::RoutingTrace(std::unique_ptr<State> state) : state_(std::move(state)) {}

RoutingTrace::RoutingTrace(RoutingTrace&&) noexcept = default;
RoutingTrace& RoutingTrace::operator=(RoutingTrace&&) noexcept = default;
RoutingTrace::~RoutingTrace() = default;

const TraceMetadata& RoutingTrace::metadata() const {
  return state_->metadata;
}

Fidelity RoutingTrace::fidelity() const {
  return state_->array("gate_weights") != nullptr || state_->array("logits") != nullptr
             ? Fidelity::Weights
             : Fidelity::Ids;
}

const Location& RoutingTrace::where() const {
  return state_->where;
}

std::span<const Chunk> RoutingTrace::chunks() const {
  return state_->chunks;
}

const std::vector<StepLayer>& RoutingTrace::step_layers() const {
  return state_->step_layers;
}

std::size_t RoutingTrace::row_count() const {
  return state_->rows;
}

std::size_t RoutingTrace::top_k() const {
  return static_cast<std::size_t>(state_->metadata.model.top_k);
}

std::size_t RoutingTrace::expert_count() const {
  return static_cast<std::size_t>(state_->metadata.model.experts);
}

std::size_t RoutingTrace::source_rank_count() const {
  return state_->source_ranks;
}

ExpertIds RoutingTrace::expert_ids(const Chunk& chunk) const {
  const Tensor& ids = *state_->array("expert_ids");
  const auto type = ids.type == TensorType::U8    ? ExpertIds::Type::U8
                    : ids.type == TensorType::U16 ? ExpertIds::Type::U16
                                                  : ExpertIds::Type::I32;
  return {type, rows_of(ids, chunk).data(), static_cast<std::size_t>(chunk.row_count), top_k()};
}

std::optional<FloatRows> RoutingTrace::gate_weights(const Chunk& chunk) const {
  return float_rows(state_->array("gate_weights"), chunk);
}

std::optional<FloatRows> RoutingTrace::logits(const Chunk& chunk) const {
  return float_rows(state_->array("logits"), chunk);
}

std::optional<std::vector<std::int64_t>> RoutingTrace::token_ids(const Chunk& chunk) const {
  return integers(state_->array("token_ids"), chunk);
}

std::optional<std::vector<std::int64_t>> RoutingTrace::sequence_ids(const Chunk& chunk) const {
  return integers(state_->array("sequence_ids"), chunk);
}

std::optional<std::vector<std::uint8_t>> RoutingTrace::modality(const Chunk& chunk) const {
  return small_numbers(state_->array("modality"), chunk);
}

std::optional<std::vector<std::uint8_t>> RoutingTrace::alive(const Chunk& chunk) const {
  return small_numbers(state_->array("alive"), chunk);
}

std::optional<std::vector<std::uint8_t>> RoutingTrace::precision(const Chunk& chunk) const {
  return small_numbers(state_->array("precision"), chunk);
}

void RoutingTrace::release(const Chunk& chunk) const {
  if (!state_->file || chunk.row_count == 0) {
    return;
  }
  for (const auto& [name, tensor] : state_->arrays) {
    state_->file->release(rows_of(tensor, chunk));
  }
}

}  // namespace switchyard

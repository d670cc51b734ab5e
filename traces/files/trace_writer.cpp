// The id type is the narrowest whose all-ones value is no expert id: u8 up to 255 experts, u16 up
// to 65,535, else i32.
#include "traces/files/trace_writer.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/check.hpp"
#include "traces/files/safetensors.hpp"

namespace switchyard {
namespace {

TensorType id_type(std::size_t experts) {
  if (experts <= 0xFFU) {
    return TensorType::U8;
  }
  return experts <= 0xFFFFU ? TensorType::U16 : TensorType::I32;
}

std::vector<TensorSpec> specs_of(const TraceLayout& layout) {
  const std::size_t rows = layout.rows;
  const auto top_k = static_cast<std::size_t>(layout.metadata.model.top_k);
  const auto experts = static_cast<std::size_t>(layout.metadata.model.experts);
  std::vector<TensorSpec> specs{{"chunks", TensorType::I64, {layout.chunks, 5}},
                                {"expert_ids", id_type(experts), {rows, top_k}}};
  const auto add = [&specs](bool is_present, TensorSpec spec) {
    if (is_present) {
      specs.push_back(std::move(spec));
    }
  };
  add(layout.has_gate_weights, {"gate_weights", TensorType::F32, {rows, top_k}});
  add(layout.has_logits, {"logits", TensorType::F32, {rows, experts}});
  add(layout.has_token_ids, {"token_ids", TensorType::I64, {rows}});
  add(layout.has_sequence_ids, {"sequence_ids", TensorType::I64, {rows}});
  add(layout.has_modality, {"modality", TensorType::U8, {rows}});
  add(layout.has_alive, {"alive", TensorType::U8, {rows}});
  add(layout.has_precision, {"precision", TensorType::U8, {rows}});
  return specs;
}

}  // namespace

struct TraceWriter::State {
  State(const std::filesystem::path& path, bool overwrite, TraceLayout described)
      : layout(std::move(described)),
        file(path, overwrite, specs_of(layout), metadata_to_strings(layout.metadata)) {}

  TraceLayout layout;
  SafetensorsWriter file;
  std::size_t rows = 0;        // written so far
  std::size_t chunk_rows = 0;  // of the chunks written so far

  template <class T>
  void append_ids(std::span<const std::int32_t> ids);

  template <class T>
  void append_column(bool is_present,
                     const std::string& name,
                     const std::vector<T>& values,
                     std::size_t expected) {
    SWITCHYARD_CHECK(values.size() == (is_present ? expected : 0),
                     name + " does not have the size the layout promised");
    if (is_present) {
      file.append_values(name, std::span(values));
    }
  }
};

template <class T>
void TraceWriter::State::append_ids(std::span<const std::int32_t> ids) {
  const auto experts = static_cast<std::int32_t>(layout.metadata.model.experts);
  std::vector<T> narrow(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < kNoExpert || ids[i] >= experts) {
      throw InvalidInput(
          fmt::format("row {}: expert id {} is outside 0 to {}",
                      rows + i / static_cast<std::size_t>(layout.metadata.model.top_k),
                      ids[i],
                      experts - 1));
    }
    narrow[i] = static_cast<T>(ids[i]);  // kNoExpert becomes all ones
  }
  file.append_values("expert_ids", std::span<const T>(narrow));
}

TraceWriter::TraceWriter(const std::filesystem::path& path, bool overwrite, TraceLayout layout)
    : state_(std::make_unique<State>(path, overwrite, std::move(layout))) {}

TraceWriter::TraceWriter(TraceWriter&&) noexcept = default;
TraceWriter& TraceWriter::operator=(TraceWriter&&) noexcept = default;
TraceWriter::~TraceWriter() = default;

void TraceWriter::append(const TraceColumns& part) {
  State& state = *state_;
  const TraceLayout& layout = state.layout;
  std::vector<std::int64_t> fields;
  for (const Chunk& chunk : part.chunks) {
    const auto first = static_cast<std::int64_t>(state.chunk_rows);
    fields.insert(fields.end(),
                  {chunk.step, chunk.layer, chunk.source_rank, first, chunk.row_count});
    state.chunk_rows += static_cast<std::size_t>(chunk.row_count);
  }
  const auto top_k = static_cast<std::size_t>(layout.metadata.model.top_k);
  const auto experts = static_cast<std::size_t>(layout.metadata.model.experts);
  const std::size_t count = part.expert_ids.size() / top_k;
  SWITCHYARD_CHECK(part.expert_ids.size() == count * top_k, "expert_ids are no whole rows");
  switch (id_type(experts)) {
    case TensorType::U8:
      state.append_ids<std::uint8_t>(part.expert_ids);
      break;
    case TensorType::U16:
      state.append_ids<std::uint16_t>(part.expert_ids);
      break;
    default:
      state.append_ids<std::int32_t>(part.expert_ids);
  }
  state.file.append_values("chunks", std::span<const std::int64_t>(fields));
  state.append_column(layout.has_gate_weights, "gate_weights", part.gate_weights, count * top_k);
  state.append_column(layout.has_logits, "logits", part.logits, count * experts);
  state.append_column(layout.has_token_ids, "token_ids", part.token_ids, count);
  state.append_column(layout.has_sequence_ids, "sequence_ids", part.sequence_ids, count);
  state.append_column(layout.has_modality, "modality", part.modality, count);
  state.append_column(layout.has_alive, "alive", part.alive, count);
  state.append_column(layout.has_precision, "precision", part.precision, count);
  state.rows += count;
}

void TraceWriter::commit() {
  SWITCHYARD_CHECK(state_->rows == state_->chunk_rows, "the chunks do not cover the rows");
  state_->file.commit();
}

}  // namespace switchyard

// What a native file holds is told by its arrays: `expert_ids` make a trace, `counts` a load.
#include "traces/files/trace_file.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/files/mapped_file.hpp"
#include "core/run_control.hpp"
#include "traces/files/safetensors.hpp"
#include "traces/files/trace_writer.hpp"

namespace switchyard {
namespace {

// Rows copied at a time: bounds the memory of write_trace, not what it writes.
constexpr std::int64_t kRowsAtATime = 65536;

TraceLayout layout_of(const RoutingTrace& trace) {
  const Chunk none{};
  return {.metadata = trace.metadata(),
          .rows = trace.row_count(),
          .chunks = trace.chunks().size(),
          .has_gate_weights = trace.gate_weights(none).has_value(),
          .has_logits = trace.logits(none).has_value(),
          .has_token_ids = trace.token_ids(none).has_value(),
          .has_sequence_ids = trace.sequence_ids(none).has_value(),
          .has_modality = trace.modality(none).has_value(),
          .has_alive = trace.alive(none).has_value(),
          .has_precision = trace.precision(none).has_value()};
}

constexpr std::size_t kLoadRowFields = 3;

ExpertLoad read_load(const SafetensorsFile& file) {
  ExpertLoad load;
  load.where = file.where();
  load.metadata = metadata_from_strings(file.metadata(), load.where);
  const Tensor& rows = file.at("count_rows");
  const Tensor& counts = file.at("counts");
  if (rows.type != TensorType::I64 || rows.shape.size() != 2 || rows.shape[1] != kLoadRowFields) {
    throw InvalidInput(rows.shape_text() + " should be I64 [rows, 3]", file.where("count_rows"));
  }
  if (counts.type != TensorType::I64 || counts.shape.size() != 2 ||
      counts.shape[0] != rows.shape[0]) {
    throw InvalidInput(
        fmt::format("{} should be I64 [{}, experts]", counts.shape_text(), rows.shape[0]),
        file.where("counts"));
  }
  const auto fields = rows.values<std::int64_t>();
  for (std::size_t i = 0; i < fields.size(); i += kLoadRowFields) {
    load.rows.push_back({fields[i], fields[i + 1], fields[i + 2]});
  }
  load.counts = Matrix<std::int64_t>(counts.shape[0], counts.shape[1]);
  const auto values = counts.values<std::int64_t>();
  std::copy(values.begin(), values.end(), load.counts.values().begin());
  check_load(load);
  return load;
}

}  // namespace

RoutingData open_routing(const std::filesystem::path& path) {
  if (!is_safetensors(path)) {
    const bool is_folder = std::filesystem::is_directory(path);
    if (!is_folder) {
      const MappedFile readable(path);  // says why, if the file cannot be opened at all
    }
    throw InvalidInput(
        "is not a native routing file",
        {path.string(), ""},
        "turn it into one: switchyard import " + path.string() + " -o trace.safetensors");
  }
  const SafetensorsFile file(path);
  if (file.find("expert_ids") != nullptr) {
    return RoutingTrace::open(path);
  }
  if (file.find("counts") != nullptr) {
    return read_load(file);
  }
  throw InvalidInput("holds neither `expert_ids` nor `counts`",
                     file.where(),
                     "a native routing file has one of them; see docs/file_formats.md");
}

void write_trace(const RoutingTrace& trace, const std::filesystem::path& path, bool overwrite) {
  TraceWriter writer(path, overwrite, layout_of(trace));
  for (const Chunk& chunk : trace.chunks()) {
    TraceColumns head;
    head.chunks.push_back(chunk);
    writer.append(head);
    for (std::int64_t done = 0; done < chunk.row_count; done += kRowsAtATime) {
      Chunk piece = chunk;
      piece.first_row += done;
      piece.row_count = std::min(kRowsAtATime, chunk.row_count - done);
      writer.append(copy_rows(trace, piece));
      trace.release(piece);
    }
    throw_if_interrupted();
  }
  writer.commit();
}

void write_load(const ExpertLoad& load, const std::filesystem::path& path, bool overwrite) {
  std::vector<std::int64_t> fields;
  for (const LoadRow& row : load.rows) {
    fields.insert(fields.end(), {row.step, row.layer, row.source_rank});
  }
  write_safetensors(path,
                    overwrite,
                    {{{"count_rows", TensorType::I64, {load.rows.size(), kLoadRowFields}},
                      std::as_bytes(std::span(fields))},
                     {{"counts", TensorType::I64, {load.counts.rows(), load.counts.columns()}},
                      std::as_bytes(load.counts.values())}},
                    metadata_to_strings(load.metadata));
}

}  // namespace switchyard

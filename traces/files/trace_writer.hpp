// Writes a native trace piece by piece, so that it may be larger than memory. Only its size must
// be known beforehand: a safetensors file lays out whole arrays one after the other.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "traces/routing_trace.hpp"

namespace switchyard {

/// What the file will hold.
struct TraceLayout {
  TraceMetadata metadata;  // model.experts and model.top_k must be set
  std::size_t rows = 0;
  std::size_t chunks = 0;
  bool has_gate_weights = false;
  bool has_logits = false;
  bool has_token_ids = false;
  bool has_sequence_ids = false;
  bool has_modality = false;
  bool has_alive = false;
  bool has_precision = false;
};

class TraceWriter {
 public:
  /// Throws InvalidInput if the file cannot be created.
  TraceWriter(const std::filesystem::path& path, bool overwrite, TraceLayout layout);
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  TraceWriter(TraceWriter&&) noexcept;
  TraceWriter& operator=(TraceWriter&&) noexcept;
  ~TraceWriter();

  /// Appends chunks and rows, each in order and in pieces as large or small as convenient: chunks
  /// lie one after the other, whatever their first_row says, and a chunk's rows may come in several
  /// calls. The columns present must be those of the layout (InternalError if not). Throws
  /// InvalidInput for an expert id out of range and when the disk is full.
  void append(const TraceColumns& part);
  /// The file appears under its name. InternalError unless rows and chunks are complete.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace switchyard

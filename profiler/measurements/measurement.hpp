// One measured exchange, whatever wrote it down, and the readers of the tables they come in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "profiler/measurements/benchmark_routing.hpp"

namespace switchyard {

/// Which kernel was timed: decides traffic, algorithm and which calibration applies.
enum class ExchangeKind {
  AllToAll,            // equal blocks (NCCL, RCCL, MSCCL++)
  LowLatencyDispatch,  // a message per token and expert
  LowLatencyCombine,
  NormalDispatch,  // once per node by RDMA, then NVLink
  NormalCombine,
  NvlinkDispatch,  // once per rank over NVLink (TensorRT-LLM)
  NvlinkCombine,
};

std::string_view exchange_kind_name(ExchangeKind kind);
bool is_combine(ExchangeKind kind);

/// A row. Zero or empty = the table does not say.
struct Measurement {
  std::string source;
  std::string hardware;
  std::string operation;  // as written
  ExchangeKind kind = ExchangeKind::AllToAll;
  BenchmarkRouting routing = BenchmarkRouting::Uniform;
  std::int64_t ranks = 0;
  std::int64_t nodes = 1;
  std::int64_t tokens = 0;  // per rank
  std::int64_t hidden = 0;
  std::int64_t top_k = 0;
  std::int64_t experts = 0;
  std::int64_t sms = 0;
  double element_bytes = 0;        // of a token's elements on the wire; 0.5 = nvfp4
  std::int64_t message_bytes = 0;  // send buffer of a rank, for AllToAll
  double seconds = 0;              // > 0; derived from the bandwidth where only that is published
  bool is_derived = false;         // from the bandwidth, so as coarse as that was rounded
  double bandwidth = 0;            // bytes/s as published; 0 = not
  std::string bytes_definition;    // name in byte_definitions(), of `bandwidth`
  std::string problem;             // why the row cannot be priced; empty if it can
  std::map<std::string, std::string> columns;  // every column as written, for --select, --hold-out
  Location where;
};

/// What tables leave out, or write in words.
struct MeasurementDefaults {
  /// For rows that do not say; 0 = such rows have a problem. Those of normal kernels take the
  /// largest multiple of their ranks, as DeepEP's tests/legacy do.
  std::int64_t experts = 0;
  std::int64_t experts_per_rank = 0;           // instead
  std::int64_t ranks = 0;                      // for nccl-tests output without its list of devices
  std::int64_t nodes = 0;                      // of what does not name its hosts; 0 = one
  std::vector<std::string> importer_settings;  // "name=value", for profiles
  std::string bytes_definition;                // instead of the one that goes with the operation
};

/// Reads a table, recognised by its header line: the common columns (docs/file_formats.md,
/// "Measurements"), aiconfigurator's trtllm_alltoall and wideep_deepep_normal columns, or any
/// profile that an importer reads: nccl-tests output, a measured timeline. Rows of operations that
/// are no all-to-all (allreduce ...) are left out and counted. Throws InvalidInput for a missing
/// column, a negative, zero or unreadable number and a table without rows. A row that lacks what
/// its operation needs (no latency and no bandwidth, no message size ...) says so in `problem`:
/// tables mix such rows with good ones.
struct MeasurementTable {
  std::vector<Measurement> rows;
  std::int64_t skipped = 0;  // rows of other operations
};

MeasurementTable read_measurements(const std::filesystem::path& path,
                                   const MeasurementDefaults& defaults = {});

/// The rows in which column `name` is `value` ("op=combine_low_latency"). Throws InvalidInput for
/// text without "=", a column that no row has, and a value that no row has.
std::vector<Measurement> select_rows(const std::vector<Measurement>& rows,
                                     const std::string& column_is_value);
/// Throws InvalidInput, naming the first row with a problem, unless every row can be priced.
void require_usable(const std::vector<Measurement>& rows);

}  // namespace switchyard

#include "profiler/measurements/measurement_tables.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "profiler/measurements/byte_definitions.hpp"

namespace switchyard {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kMilli = 1e-3;
constexpr double kGiga = 1e9;
constexpr double kLargestInteger = 9e15;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What an operation's name in the common columns means; nothing for what is no all-to-all.
std::optional<ExchangeKind> kind_of(const std::string& operation) {
  if (contains(operation, "alltoall")) {
    return ExchangeKind::AllToAll;
  }
  const bool dispatch = contains(operation, "dispatch");
  if (!dispatch && !contains(operation, "combine")) {
    return std::nullopt;
  }
  // Hybrid-EP's tables write "dispatch_fp8", "dispatch_bf16" and plain "combine".
  const bool is_hybrid = operation == "combine" || operation.starts_with("dispatch_fp8") ||
                         operation.starts_with("dispatch_bf16");
  if (contains(operation, "_normal") || is_hybrid) {
    return dispatch ? ExchangeKind::NormalDispatch : ExchangeKind::NormalCombine;
  }
  if (contains(operation, "_low_latency") || operation.ends_with("_dispatch") ||
      operation.ends_with("_combine")) {
    return dispatch ? ExchangeKind::LowLatencyDispatch : ExchangeKind::LowLatencyCombine;
  }
  return std::nullopt;
}

BenchmarkRouting routing_of(ExchangeKind kind, const std::string& operation) {
  switch (kind) {
    case ExchangeKind::AllToAll:
      return BenchmarkRouting::Uniform;
    case ExchangeKind::NormalDispatch:
    case ExchangeKind::NormalCombine:  // Hybrid-EP's benchmark routes at random
      return contains(operation, "_normal") ? BenchmarkRouting::GroupLimited
                                            : BenchmarkRouting::Random;
    case ExchangeKind::LowLatencyDispatch:
    case ExchangeKind::LowLatencyCombine:
      return BenchmarkRouting::Random;
    case ExchangeKind::NvlinkDispatch:
    case ExchangeKind::NvlinkCombine:
      return BenchmarkRouting::Balanced;
  }
  throw InternalError("an exchange kind without routing");
}

std::int64_t experts_of(const Measurement& row, const MeasurementDefaults& defaults) {
  if (defaults.experts_per_rank > 0) {
    return defaults.experts_per_rank * row.ranks;
  }
  const bool is_normal =
      row.kind == ExchangeKind::NormalDispatch || row.kind == ExchangeKind::NormalCombine;
  return is_normal && row.ranks > 0 ? defaults.experts / row.ranks * row.ranks : defaults.experts;
}

/// Fills in what follows from the rest, or says why the row is of no use.
void complete(Measurement& row, const TableRow& table, const MeasurementDefaults& defaults) {
  row.where = table.where();
  for (const auto& [name, text] : table.fields()) {
    row.columns[name] = text;
  }
  row.nodes = std::max<std::int64_t>(1, row.nodes);
  if (row.experts == 0) {
    row.experts = experts_of(row, defaults);
  }
  if (row.bytes_definition.empty()) {
    row.bytes_definition = defaults.bytes_definition.empty()
                               ? default_byte_definition(row.kind, row.nodes)
                               : defaults.bytes_definition;
  }
  const bool has_tokens = row.kind != ExchangeKind::AllToAll;
  if (row.ranks < 2 || row.ranks % row.nodes != 0) {
    row.problem = fmt::format("{} ranks on {} nodes is no exchange", row.ranks, row.nodes);
  } else if (!has_tokens && row.message_bytes == 0) {
    row.problem = "has no message_bytes";
  } else if (has_tokens && (row.tokens == 0 || row.hidden == 0 || row.top_k == 0)) {
    row.problem = "lacks tokens, hidden size or top-k";
  } else if (has_tokens && row.element_bytes == 0) {
    row.problem = "does not say how wide an element is on the wire";
  } else if (has_tokens && (row.experts == 0 || row.experts % row.ranks != 0)) {
    row.problem =
        row.experts == 0
            ? "does not say how many experts there are (--experts N)"
            : fmt::format("{} experts do not divide over {} ranks", row.experts, row.ranks);
  } else if (row.seconds == 0 && row.bandwidth == 0) {
    row.problem = "has neither latency nor bandwidth";
  } else if (row.seconds == 0) {
    row.seconds = byte_definition(row.bytes_definition).bytes(row) / row.bandwidth;
    row.is_derived = true;
  }
}

std::vector<Measurement> common_rows(const TableRow& table, const MeasurementDefaults& defaults) {
  const std::string& operation = table.text("op");
  const auto kind = kind_of(operation);
  if (!kind) {
    return {};
  }
  Measurement row{.source = table.text("source"),
                  .hardware = table.text("hardware"),
                  .operation = operation,
                  .kind = *kind,
                  .routing = routing_of(*kind, operation),
                  .ranks = table.integer("ep_size"),
                  .nodes = table.integer("nodes"),
                  .tokens = table.integer("tokens_per_rank"),
                  .hidden = table.integer("hidden"),
                  .top_k = table.integer("topk"),
                  .experts = table.integer("num_experts"),
                  .sms = table.integer("num_sms"),
                  .element_bytes = table.number("dtype_bytes"),
                  .message_bytes = table.integer("message_bytes"),
                  .seconds = table.number("latency_us") * kMicro,
                  .bandwidth = table.number("bandwidth_GBps") * kGiga};
  if (contains(operation, "_xgmi")) {
    row.bytes_definition = "deepep_normal_nvlink";
  }
  complete(row, table, defaults);
  return {row};
}

std::vector<Measurement> tensorrt_llm_rows(const TableRow& table,
                                           const MeasurementDefaults& defaults) {
  const std::string& operation = table.text("op_name");
  const bool dispatch = contains(operation, "dispatch");
  if (!dispatch && !contains(operation, "combine")) {
    return {};
  }
  const std::string& type = table.text("moe_dtype");
  const double element = type == "bfloat16" ? 2 : type == "fp8" ? 1 : type == "nvfp4" ? 0.5 : 0;
  const bool narrow = dispatch || contains(operation, "low_precision");
  Measurement row{.source = fmt::format("{} {}", table.text("framework"), table.text("version")),
                  .hardware = table.text("device"),
                  .operation = operation,
                  .kind = dispatch ? ExchangeKind::NvlinkDispatch : ExchangeKind::NvlinkCombine,
                  .routing = BenchmarkRouting::Balanced,
                  .ranks = table.integer("moe_ep_size"),
                  .tokens = table.integer("num_tokens"),
                  .hidden = table.integer("hidden_size"),
                  .top_k = table.integer("topk"),
                  .experts = table.integer("num_experts"),
                  .element_bytes = narrow ? element : 2,
                  .seconds = table.number("latency") * kMilli};
  complete(row, table, defaults);
  if (row.problem.empty() && table.text("distribution") != "balanced") {
    row.problem = fmt::format("its routing \"{}\" is not known", table.text("distribution"));
  }
  return {row};
}

std::vector<Measurement> deepep_normal_rows(const TableRow& table,
                                            const MeasurementDefaults& defaults) {
  std::vector<Measurement> rows;
  for (const bool dispatch : {true, false}) {
    const std::int64_t nodes = table.integer("node_num");
    Measurement row{
        .source = fmt::format("{} {}", table.text("framework"), table.text("version")),
        .hardware = table.text("device"),
        .operation = dispatch ? "dispatch_normal" : "combine_normal",
        .kind = dispatch ? ExchangeKind::NormalDispatch : ExchangeKind::NormalCombine,
        .routing = BenchmarkRouting::GroupLimited,
        .ranks = nodes * 8,  // the collector runs on servers of 8 GPUs
        .nodes = nodes,
        .tokens = table.integer("num_token"),
        .hidden = table.integer("hidden_size"),
        .top_k = table.integer("num_topk"),
        .experts = table.integer("num_experts"),
        .sms = table.integer(dispatch ? "dispatch_sms" : "combine_sms"),
        .element_bytes = dispatch ? 1.0 : 2.0,
        .seconds =
            table.number(dispatch ? "dispatch_transmit_us" : "combine_transmit_us") * kMicro};
    complete(row, table, defaults);
    row.columns["op"] = row.operation;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

const std::string& TableRow::text(const std::string& column) const {
  const auto found = fields_.find(column);
  if (found == fields_.end()) {
    throw InternalError("the table format does not require the column " + column);
  }
  return found->second;
}

double TableRow::number(const std::string& column) const {
  const std::string& written = text(column);
  if (written.empty()) {
    return 0;
  }
  double value = 0;
  const auto [end, problem] =
      std::from_chars(written.data(), written.data() + written.size(), value);
  if (problem != std::errc() || end != written.data() + written.size() || !std::isfinite(value)) {
    throw InvalidInput(fmt::format("{} \"{}\" is no number", column, written),
                       where_,
                       "the unit belongs into the column's name, not into the field");
  }
  if (value < 0) {
    throw InvalidInput(fmt::format("{} {} is negative", column, written), where_);
  }
  return value;
}

std::int64_t TableRow::integer(const std::string& column) const {
  const double value = number(column);
  if (value != std::floor(value) || value > kLargestInteger) {
    throw InvalidInput(fmt::format("{} {} is no whole number", column, text(column)), where_);
  }
  return static_cast<std::int64_t>(value);
}

const std::vector<TableFormat>& table_formats() {
  static const std::vector<TableFormat> formats{
      {"common columns",
       {"source",
        "hardware",
        "op",
        "ep_size",
        "nodes",
        "tokens_per_rank",
        "hidden",
        "topk",
        "dtype_bytes",
        "latency_us",
        "bandwidth_GBps",
        "message_bytes",
        "num_experts",
        "num_sms"},
       common_rows},
      {"aiconfigurator trtllm_alltoall_perf",
       {"framework",
        "version",
        "device",
        "op_name",
        "moe_dtype",
        "num_tokens",
        "hidden_size",
        "topk",
        "num_experts",
        "moe_ep_size",
        "distribution",
        "latency"},
       tensorrt_llm_rows},
      {"aiconfigurator wideep_deepep_normal_perf",
       {"framework",
        "version",
        "device",
        "node_num",
        "num_token",
        "hidden_size",
        "num_topk",
        "num_experts",
        "dispatch_sms",
        "dispatch_transmit_us",
        "combine_sms",
        "combine_transmit_us"},
       deepep_normal_rows},
  };
  return formats;
}

}  // namespace switchyard

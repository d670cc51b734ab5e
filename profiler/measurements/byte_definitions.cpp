#include "profiler/measurements/byte_definitions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/components/suggestion.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kSeed = 1;  // means over 4096 tokens: any seed gives the same to 1 %
constexpr std::int64_t kScaleBlock = 128;
constexpr std::int64_t kFloatBytes = 4;
constexpr std::int64_t kLowLatencyHeader = 16;
constexpr std::int64_t kNvfp4Block = 16;

bool is_low_latency(ExchangeKind kind) {
  return kind == ExchangeKind::LowLatencyDispatch || kind == ExchangeKind::LowLatencyCombine;
}

double as_double(std::int64_t value) {
  return static_cast<double>(value);
}

double selections(const Measurement& row) {
  return as_double(row.tokens) * as_double(row.top_k) * as_double(token_bytes(row));
}

Spread spread_of(const Measurement& row) {
  return mean_spread(row.routing,
                     {.tokens = row.tokens,
                      .top_k = row.top_k,
                      .experts = row.experts,
                      .nodes = std::max<std::int64_t>(1, row.nodes)},
                     row.ranks,
                     kSeed);
}

double unique_nodes(const Measurement& row) {
  return as_double(row.tokens) * spread_of(row).nodes * as_double(token_bytes(row));
}

double unique_ranks(const Measurement& row) {
  return as_double(row.tokens) * spread_of(row).ranks * as_double(token_bytes(row));
}

double send_buffer(const Measurement& row) {
  return as_double(row.message_bytes);
}

double leaving_bytes(const Measurement& row) {
  return as_double(row.message_bytes) * as_double(row.ranks - 1) / as_double(row.ranks);
}

constexpr std::array<ByteDefinition, 5> kDefinitions{{
    {"deepep_low_latency",
     "every (token, expert) selection, own rank included (DeepEP tests/legacy/test_low_latency)",
     selections},
    {"deepep_normal_nvlink",
     "each token once per destination rank, own rank included (DeepEP tests/legacy, recv_x)",
     unique_ranks},
    {"deepep_normal_rdma",
     "each token once per destination node, own node included (DeepEP tests/legacy, RDMA leg)",
     unique_nodes},
    {"nccl_algbw", "the whole send buffer of a rank (nccl-tests PERFORMANCE.md)", send_buffer},
    {"nccl_busbw",
     "the part of the send buffer that leaves the rank: (n-1)/n (nccl-tests PERFORMANCE.md)",
     leaving_bytes},
}};

}  // namespace

std::span<const ByteDefinition> byte_definitions() {
  return kDefinitions;
}

const ByteDefinition& byte_definition(const std::string& name) {
  std::vector<std::string> known;
  for (const ByteDefinition& definition : kDefinitions) {
    if (definition.name == name) {
      return definition;
    }
    known.emplace_back(definition.name);
  }
  throw InvalidInput(
      "no byte definition is called \"" + name + "\"", {}, suggestion_hint(name, known));
}

std::string default_byte_definition(ExchangeKind kind, std::int64_t nodes) {
  switch (kind) {
    case ExchangeKind::AllToAll:
      return "nccl_busbw";
    case ExchangeKind::LowLatencyDispatch:
    case ExchangeKind::LowLatencyCombine:
      return "deepep_low_latency";
    case ExchangeKind::NormalDispatch:
    case ExchangeKind::NormalCombine:
      return nodes > 1 ? "deepep_normal_rdma" : "deepep_normal_nvlink";
    case ExchangeKind::NvlinkDispatch:
    case ExchangeKind::NvlinkCombine:
      return "deepep_normal_nvlink";
  }
  throw InternalError("an exchange kind without a byte definition");
}

std::int64_t token_bytes(const Measurement& row) {
  const auto elements =
      static_cast<std::int64_t>(std::llround(static_cast<double>(row.hidden) * row.element_bytes));
  std::int64_t bytes = elements;
  if (row.element_bytes == 1) {
    bytes += (row.hidden + kScaleBlock - 1) / kScaleBlock * kFloatBytes;
    bytes += is_low_latency(row.kind) ? kLowLatencyHeader : 0;
  } else if (row.element_bytes < 1) {
    bytes += (row.hidden + kNvfp4Block - 1) / kNvfp4Block;
  }
  return bytes;
}

}  // namespace switchyard

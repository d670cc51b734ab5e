// What "GB/s" means in whose table. Every publisher divides other bytes by the time; numbers may
// only be compared, and times only be derived, under the definition they were published with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "profiler/measurements/measurement.hpp"

namespace switchyard {

/// Bytes that a table's bandwidth stands for: bandwidth = bytes / time.
struct ByteDefinition {
  std::string_view name;
  std::string_view meaning;  // one line, with its source
  double (*bytes)(const Measurement&);
};

/// All of them, sorted by name.
std::span<const ByteDefinition> byte_definitions();
/// By name; throws InvalidInput with the nearest.
const ByteDefinition& byte_definition(const std::string& name);
/// The one that goes with a kind of exchange where the table names none.
std::string default_byte_definition(ExchangeKind kind, std::int64_t nodes);

/// One token's message: FP8 carries a float32 scale per 128 elements, and the low-latency kernels
/// put 16 bytes before it; nvfp4 carries a byte of scale per 16 elements.
std::int64_t token_bytes(const Measurement& row);

}  // namespace switchyard

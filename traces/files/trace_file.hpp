// The native file: safetensors (8-byte header length, JSON header, raw arrays), see
// docs/file_formats.md. One format version for traces and for counts.
#pragma once

#include <filesystem>

#include "traces/expert_load.hpp"
#include "traces/routing_trace.hpp"

namespace switchyard {

/// Opens a native file of either kind. Throws InvalidInput, with the hint to `import` when the file
/// is a foreign format.
RoutingData open_routing(const std::filesystem::path& path);

/// Writes the narrowest id type that fits; weights as f32. Never half-writes.
void write_trace(const RoutingTrace& trace, const std::filesystem::path& path, bool overwrite);
void write_load(const ExpertLoad& load, const std::filesystem::path& path, bool overwrite);

}  // namespace switchyard

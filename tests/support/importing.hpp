// Import in one call, as the command line does it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "traces/importer.hpp"

namespace switchyard::testing {

/// Guesses the format and reads; `options` are the importer's parameters.
RoutingData import_routing(const std::filesystem::path& path,
                           const nlohmann::json& options = nullptr);
RoutingTrace import_trace(const std::filesystem::path& path,
                          const nlohmann::json& options = nullptr);
/// Importing must throw InvalidInput whose message and hint hold `words`.
void expect_import_refused(const std::filesystem::path& path,
                           const std::string& words,
                           const nlohmann::json& options = nullptr);
/// All ids of one chunk, row by row.
std::vector<std::int32_t> ids_of(const RoutingTrace& trace, std::size_t chunk);

}  // namespace switchyard::testing

// Guessing asks every importer, so that a file which two formats claim is an error, not a matter
// of alphabetical order.
#include "traces/importer.hpp"

#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "traces/files/safetensors.hpp"

namespace switchyard {

template class Registry<Importer>;

std::string guess_importer(const std::filesystem::path& path) {
  const Location where{path.string(), ""};
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    throw InvalidInput("does not exist", where);
  }
  const auto& registry = Registry<Importer>::instance();
  std::vector<std::string> found;
  for (const std::string& name : registry.names()) {
    Parameters defaults = Parameters::describing();
    if (registry.create(name, "importer", defaults)->recognises(path)) {
      found.push_back(name);
    }
  }
  if (found.size() == 1) {
    return found.front();
  }
  if (found.empty()) {
    throw InvalidInput("is in no routing format that is known here",
                       where,
                       is_safetensors(path) ? "it looks like a native file: use it as it is"
                                            : fmt::format("name the format with --from, one of: {}",
                                                          fmt::join(registry.names(), ", ")));
  }
  throw InvalidInput(
      fmt::format("could be {}", fmt::join(found, " or ")), where, "name the format with --from");
}

}  // namespace switchyard

// Foreign routing formats. One .cpp in traces/importers/ per format:
//
// | hook          | when                           | must |
// |---------------|--------------------------------|-------------------------------------------------|
// | recognises()  | the format is not named        | look at names and first bytes only; never
// throw | | read()        | once                           | check everything; throw InvalidInput
// with line  |
#pragma once

#include <filesystem>
#include <string>

#include "core/components/registry.hpp"
#include "core/run_control.hpp"
#include "traces/expert_load.hpp"

namespace switchyard {

class Importer {
 public:
  Importer() = default;
  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;
  Importer(Importer&&) = delete;
  Importer& operator=(Importer&&) = delete;
  virtual ~Importer() = default;

  /// Whether a file or folder looks like this format, from its name and first bytes.
  [[nodiscard]] virtual bool recognises(const std::filesystem::path& path) const = 0;
  /// Reads it whole. Throws InvalidInput naming file and line or offset.
  [[nodiscard]] virtual RoutingData read(const std::filesystem::path& path,
                                         const Progress& progress) const = 0;
};

extern template class Registry<Importer>;

/// The name of the importer that recognises `path`; throws InvalidInput if none or several do.
std::string guess_importer(const std::filesystem::path& path);

}  // namespace switchyard

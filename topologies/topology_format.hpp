// Other programs' descriptions of machines. One .cpp in topologies/formats/ per format; a format
// may read, write, or both.
#pragma once

#include <filesystem>
#include <string>

#include "core/components/registry.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

class TopologyFormat {
 public:
  TopologyFormat() = default;
  TopologyFormat(const TopologyFormat&) = delete;
  TopologyFormat& operator=(const TopologyFormat&) = delete;
  TopologyFormat(TopologyFormat&&) = delete;
  TopologyFormat& operator=(TopologyFormat&&) = delete;
  virtual ~TopologyFormat() = default;

  [[nodiscard]] virtual bool can_read() const { return false; }

  [[nodiscard]] virtual bool can_write() const { return false; }

  /// Whether a file looks like this format, from its name and first bytes.
  [[nodiscard]] virtual bool recognises(const std::filesystem::path& path) const;
  /// Throws InvalidInput naming file and place; MissingCapability if this format is write-only.
  [[nodiscard]] virtual Fabric read(const std::filesystem::path& path) const;
  /// The fabric as text; MissingCapability if this format is read-only.
  [[nodiscard]] virtual std::string write(const Fabric& fabric) const;
};

extern template class Registry<TopologyFormat>;

/// The first bytes of a file, for recognises(); empty if it cannot be read.
std::string beginning_of(const std::filesystem::path& path);

/// The name of the format that recognises the file; empty if none does.
std::string guess_topology_format(const std::filesystem::path& path);

}  // namespace switchyard

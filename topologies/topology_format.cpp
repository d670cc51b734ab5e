#include "topologies/topology_format.hpp"

#include <fstream>

namespace switchyard {

template class Registry<TopologyFormat>;

bool TopologyFormat::recognises(const std::filesystem::path& /*path*/) const {
  return false;
}

Fabric TopologyFormat::read(const std::filesystem::path& path) const {
  throw MissingCapability("this format can only be written", {path.string(), ""});
}

std::string TopologyFormat::write(const Fabric& /*fabric*/) const {
  throw MissingCapability(
      "this format can only be read",
      {},
      "Switchyard writes its own JSON, GraphML, DOT and others: see the list of "
      "formats");
}

std::string beginning_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(4096, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string guess_topology_format(const std::filesystem::path& path) {
  const auto& registry = Registry<TopologyFormat>::instance();
  for (const std::string& name : registry.names()) {
    Parameters defaults = Parameters::describing();
    const auto format = registry.at(name, "topology format").make(defaults);
    if (format->can_read() && format->recognises(path)) {
      return name;
    }
  }
  return {};
}

}  // namespace switchyard

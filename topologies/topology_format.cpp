#include "topologies/topology_format.hpp"

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

}  // namespace switchyard

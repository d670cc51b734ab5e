// A SimGrid platform: a host per rank, a link per direction of each cable and every route written
// out, so that SimGrid takes exactly the ways that Switchyard takes. Grows with the square of the
// ranks, hence the limit.
#include <sstream>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostRanks = 512;

void set(pugi::xml_node node, const char* attribute, const std::string& value) {
  node.append_attribute(attribute).set_value(value.c_str());
}

class SimgridPlatformXml final : public TopologyFormat {
 public:
  explicit SimgridPlatformXml(Parameters& /*parameters*/) {}

  [[nodiscard]] bool can_write() const override { return true; }

  [[nodiscard]] std::string write(const Fabric& fabric) const override {
    if (fabric.rank_count() > kMostRanks) {
      throw MissingCapability(
          fmt::format("a SimGrid platform of {} ranks would hold every route", fabric.rank_count()),
          {},
          fmt::format("at most {} ranks can be written", kMostRanks));
    }
    const RouteTable& routes = fabric.routes(fabric.rank_count());
    if (routes.is_spread()) {
      throw MissingCapability("SimGrid has one route per pair; this fabric spreads pairs",
                              {},
                              "set \"path_policy\" to \"hashed\"");
    }
    pugi::xml_document document;
    document.append_child(pugi::node_doctype)
        .set_value("platform SYSTEM \"https://simgrid.org/simgrid.dtd\"");
    pugi::xml_node platform = document.append_child("platform");
    set(platform, "version", "4.1");
    pugi::xml_node zone = platform.append_child("zone");
    set(zone, "id", "fabric");
    set(zone, "routing", "Full");
    for (std::size_t rank = 0; rank < fabric.rank_count(); ++rank) {
      pugi::xml_node host = zone.append_child("host");
      set(host, "id", host_name(fabric, rank));
      set(host, "speed", "1Gf");  // no computation is simulated there
    }
    for (const Link& link : fabric.links()) {
      pugi::xml_node entry = zone.append_child("link");
      set(entry, "id", link.name);
      set(entry, "bandwidth", fmt::format("{}Bps", link.effective_bandwidth().value));
      set(entry, "latency", fmt::format("{}s", link.latency.count()));
    }
    for (std::size_t source = 0; source < fabric.rank_count(); ++source) {
      for (std::size_t target = 0; target < fabric.rank_count(); ++target) {
        if (source != target) {
          add_route(fabric, routes, source, target, zone);
        }
      }
    }
    std::ostringstream text;
    document.save(text, " ");
    return text.str();
  }

 private:
  static std::string host_name(const Fabric& fabric, std::size_t rank) {
    return fabric.devices()[fabric.gpu_of(RankId{rank}).index()].name;
  }

  static void add_route(const Fabric& fabric,
                        const RouteTable& routes,
                        std::size_t source,
                        std::size_t target,
                        pugi::xml_node zone) {
    pugi::xml_node route = zone.append_child("route");
    set(route, "src", host_name(fabric, source));
    set(route, "dst", host_name(fabric, target));
    set(route, "symmetrical", "NO");
    for (const Hop& hop : routes.hops(source, target)) {
      set(route.append_child("link_ctn"), "id", fabric.links()[hop.link.index()].name);
    }
  }
};

const Register<TopologyFormat, SimgridPlatformXml> kSimgridPlatformXml{
    "simgrid_platform_xml", "SimGrid platform with all routes (write)"};

}  // namespace
}  // namespace switchyard

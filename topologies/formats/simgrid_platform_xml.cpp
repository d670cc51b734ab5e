// SimGrid platforms. Written: a host per rank, a link per direction of each cable and every route
// written out, so that SimGrid takes exactly the ways that Switchyard takes. Grows with the square
// of the ranks, hence the limit. Read: by SimGrid itself, in a child process, so that whatever
// zones a file uses mean what SimGrid says they mean.
#include <array>
#include <sstream>

#include <fmt/format.h>
#include <pugixml.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "core/files/text_reader.hpp"
#include "core/processes/child_process.hpp"
#include "core/processes/module.hpp"
#include "topologies/building_blocks/platform_capture.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kMostRanks = 512;
constexpr std::size_t kLargestPlatformXml = std::size_t{64} << 20U;
constexpr Seconds kTimeLimit{60};

void set(pugi::xml_node node, const char* attribute, const std::string& value) {
  node.append_attribute(attribute).set_value(value.c_str());
}

/// Memory that looks like a file: a forked child writes it, the parent reads it.
class SharedText {
 public:
  SharedText() : descriptor_(::memfd_create("switchyard", MFD_CLOEXEC)) {
    if (descriptor_ < 0) {
      throw InternalError("no shared memory");
    }
  }

  SharedText(const SharedText&) = delete;
  SharedText& operator=(const SharedText&) = delete;
  SharedText(SharedText&&) = delete;
  SharedText& operator=(SharedText&&) = delete;

  ~SharedText() { ::close(descriptor_); }

  [[nodiscard]] int descriptor() const { return descriptor_; }

  [[nodiscard]] std::string read() const {
    ::lseek(descriptor_, 0, SEEK_SET);
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t count = 0; (count = ::read(descriptor_, buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int descriptor_;
};

/// What SimGrid would take without a word and a fabric cannot keep: rates that change over time.
class ProfileSearch : public pugi::xml_tree_walker {
 public:
  explicit ProfileSearch(const Location& where) : where_(where) {}

  bool for_each(pugi::xml_node& node) override {
    for (const char* attribute : {"bandwidth_file", "latency_file", "state_file"}) {
      if (node.attribute(attribute)) {
        refuse(fmt::format("<{} {}>", node.name(), attribute));
      }
    }
    if (std::string_view(node.name()) == "trace_connect") {
      refuse("<trace_connect>");
    }
    return true;
  }

 private:
  void refuse(const std::string& what) const {
    throw MissingCapability("links that change over time cannot be read: " + what,
                            where_,
                            "remove it; network.links changes links for a whole run");
  }

  Location where_;
};

class SimgridPlatformXml final : public TopologyFormat {
 public:
  explicit SimgridPlatformXml(Parameters& /*parameters*/) {}

  [[nodiscard]] bool can_read() const override { return true; }

  [[nodiscard]] bool can_write() const override { return true; }

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    return beginning_of(path).find("<platform") != std::string::npos;
  }

  [[nodiscard]] Fabric read(const std::filesystem::path& path) const override {
    const Location where{path.string(), ""};
    check_xml(path, where);
    const std::filesystem::path module =
        module_path(kSimgridModule, "SimGrid reads its platforms: install or build it");
    const SharedText text;
    try {
      run_in_child({.name = "SimGrid",
                    .work =
                        [&] {
                          reinterpret_cast<SimgridPlatformFunction>(load_symbol(
                              module, kSimgridPlatformSymbol))(path.c_str(), text.descriptor());
                        },
                    .time_limit = kTimeLimit,
                    .time_limit_hint = "take a platform with fewer hosts"});
    } catch (const ChildFailure& failure) {
      throw InvalidInput("SimGrid cannot read this platform: " + failure.reason(),
                         where,
                         "if it crashed: does every pair of hosts have a route?");
    }
    return fabric_of_capture(parse_capture(text.read()), path.stem().string(), where);
  }

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
  static void check_xml(const std::filesystem::path& path, const Location& where) {
    const std::string content = read_text_file(path, kLargestPlatformXml);
    pugi::xml_document document;
    const pugi::xml_parse_result result = document.load_buffer(content.data(), content.size());
    if (!result) {
      throw InvalidInput(fmt::format("not an XML file: {}", result.description()),
                         where.at_offset(static_cast<std::size_t>(result.offset)));
    }
    if (!document.child("platform")) {
      throw InvalidInput("no <platform>: this is not a SimGrid platform", where);
    }
    ProfileSearch profiles(where);
    document.traverse(profiles);
  }

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
    "simgrid_platform_xml", "SimGrid platform with all its routes (read by SimGrid itself, write)"};

}  // namespace
}  // namespace switchyard

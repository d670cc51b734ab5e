// One entry may stand for thousands of devices or links: its patterns are expanded here. The schema
// has been checked before, so only what a schema cannot say is checked.
#include "topologies/topology_document.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/components/suggestion.hpp"
#include "topologies/fixed_routes.hpp"
#include "topologies/name_pattern.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

// More comparisons of a pattern with a name than this take minutes.
constexpr std::size_t kMostComparisons = 1'000'000'000;

template <class Action>
void at_place(const Location& where, const Action& action) {
  try {
    action();
  } catch (const InvalidInput& error) {
    if (!error.where().text().empty()) {
      throw;
    }
    throw InvalidInput(error.what(), where, error.hint());
  }
}

std::string text_of(const json& entry, const char* key) {
  return entry.at(key).get<std::string>();
}

DeviceKind kind_of(const std::string& name) {
  for (const DeviceKind kind : {DeviceKind::Gpu,
                                DeviceKind::Nic,
                                DeviceKind::Switch,
                                DeviceKind::HostMemory,
                                DeviceKind::Ssd}) {
    if (device_kind_name(kind) == name) {
      return kind;
    }
  }
  throw InternalError("the topology schema lets through the device kind " + name);
}

NodeId node_of(const json& entry,
               DeviceKind kind,
               const NamePattern& pattern,
               const NamePattern::Match& match,
               const Location& where) {
  const auto found = entry.find("node");
  if (found == entry.end()) {
    if (kind == DeviceKind::Switch) {
      return {};
    }
    if (pattern.bracket_count() > 1) {
      throw InvalidInput(fmt::format("which nodes are \"{}\" in?", pattern.text()),
                         where,
                         "add \"node\": a number, or \"$1\" for the number in the first brackets");
    }
    return NodeId{0};
  }
  if (found->is_number_integer()) {
    const auto number = found->get<std::int64_t>();
    if (number < 0 || number >= static_cast<std::int64_t>(FabricBuilder::kMostDevices)) {
      throw InvalidInput(fmt::format("{} is no possible node", number), where.child("node"));
    }
    return NodeId{static_cast<std::size_t>(number)};
  }
  const NamePattern reference("[" + found->get<std::string>() + "]", where.child("node"));
  return NodeId{
      static_cast<std::size_t>(reference.resolved(match.numbers).names().front().numbers.front())};
}

std::vector<std::string> device_names(const Fabric::Parts& parts) {
  std::vector<std::string> names;
  for (const Device& device : parts.devices) {
    names.push_back(device.name);
  }
  return names;
}

struct Selected {
  DeviceId device;
  std::vector<std::int64_t> numbers;
};

// The devices a pattern stands for: those that exist for an open one, else exactly those named.
std::vector<Selected> select_devices(const NamePattern& pattern,
                                     const FabricBuilder& builder,
                                     const Location& where) {
  std::vector<Selected> selected;
  const std::vector<Device>& devices = builder.parts().devices;
  if (!pattern.is_open()) {
    for (NamePattern::Match& match : pattern.names()) {
      const DeviceId device = builder.find_device(match.name);
      if (!device.is_valid()) {
        throw InvalidInput(fmt::format("no device is called \"{}\"", match.name),
                           where,
                           suggestion_hint(match.name, device_names(builder.parts())));
      }
      selected.push_back({device, std::move(match.numbers)});
    }
    return selected;
  }
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (auto match = pattern.match(devices[i].name)) {
      selected.push_back({DeviceId{i}, std::move(match->numbers)});
    }
  }
  if (selected.empty()) {
    throw InvalidInput(fmt::format("no device matches \"{}\"", pattern.text()),
                       where,
                       suggestion_hint(pattern.text(), device_names(builder.parts())));
  }
  return selected;
}

BytesPerSecond bandwidth_of(const json& entry, const Location& where) {
  const Location place = where.child("bandwidth");
  const BytesPerSecond bandwidth = parse_bandwidth(text_of(entry, "bandwidth"), place);
  if (bandwidth.value <= 0) {
    throw InvalidInput("a link of no bandwidth", place, "leave the link out if it is down");
  }
  return bandwidth;
}

Cable cable_of(const json& entry, const Location& where) {
  Cable cable{.bandwidth = bandwidth_of(entry, where)};
  if (entry.contains("latency")) {
    cable.latency = parse_duration(text_of(entry, "latency"), where.child("latency"));
  }
  cable.efficiency = entry.value("efficiency", 1.0);
  cable.cost = entry.value("cost", 1);
  return cable;
}

class LinkReader {
 public:
  LinkReader(const json& entry, FabricBuilder& builder, const Location& where)
      : builder_(&builder),
        where_(where),
        cable_(cable_of(entry, where)),
        duplex_(entry.value("duplex", "full")),
        name_(entry.value("name", "")),
        from_(text_of(entry, "from"), where.child("from")),
        to_(text_of(entry, "to"), where.child("to")) {}

  void read() {
    const std::vector<Selected> sources = select_devices(from_, *builder_, where_.child("from"));
    const std::size_t compared = to_.is_open() ? builder_->parts().devices.size() : 1;
    if (sources.size() > kMostComparisons / compared) {
      throw InvalidInput(fmt::format("\"{}\" is compared with too many names", to_.text()),
                         where_.child("to"),
                         "write ranges or $1 instead of *");
    }
    for (const Selected& source : sources) {
      const auto targets =
          select_devices(to_.resolved(source.numbers), *builder_, where_.child("to"));
      const bool is_single = sources.size() == 1 && targets.size() == 1;
      if (!name_.empty() && (!is_single || duplex_ != "one_way")) {
        throw InvalidInput(fmt::format("\"{}\" would name several links", name_),
                           where_.child("name"),
                           "only a single link of duplex \"one_way\" takes a name");
      }
      for (const Selected& target : targets) {
        join(source.device, target.device, is_single);
      }
    }
  }

 private:
  void join(DeviceId from, DeviceId to, bool is_single) {
    if (from == to) {
      if (is_single) {
        throw InvalidInput(fmt::format("\"{}\" is joined to itself", from_.text()), where_);
      }
      return;  // "gpu[*]" to "gpu[*]" is a mesh: everybody with everybody else
    }
    if (duplex_ == "one_way") {
      builder_->connect_one_way(from, to, cable_, name_);
      return;
    }
    // In a mesh the pair comes up from both sides.
    if (!joined_.insert(std::minmax(from, to)).second) {
      return;
    }
    if (duplex_ == "half") {
      builder_->connect_half_duplex(from, to, cable_);
    } else {
      builder_->connect(from, to, cable_);
    }
  }

  FabricBuilder* builder_;
  Location where_;
  Cable cable_;
  std::string duplex_;
  std::string name_;
  NamePattern from_;
  NamePattern to_;
  std::set<std::pair<DeviceId, DeviceId>> joined_;
};

// "a->b" stands for itself, "a<->b" for both directions.
std::vector<NamePattern> link_patterns(const std::string& text, const Location& where) {
  static const std::string kBoth = "<->";
  const std::size_t middle = text.find(kBoth);
  if (middle == std::string::npos) {
    return {NamePattern(text, where)};
  }
  const std::string one = text.substr(0, middle);
  const std::string other = text.substr(middle + kBoth.size());
  return {NamePattern(one + "->" + other, where), NamePattern(other + "->" + one, where)};
}

// Numbers of the links that any pattern matches; throws if one matches none.
std::vector<std::size_t> select_links(const std::string& text,
                                      const Fabric::Parts& parts,
                                      const Location& where) {
  std::vector<std::size_t> selected;
  for (const NamePattern& pattern : link_patterns(text, where)) {
    const std::size_t before = selected.size();
    for (std::size_t i = 0; i < parts.links.size(); ++i) {
      if (pattern.match(parts.links[i].name)) {
        selected.push_back(i);
      }
    }
    if (selected.size() == before) {
      std::vector<std::string> names;
      for (const Link& link : parts.links) {
        names.push_back(link.name);
      }
      throw InvalidInput(fmt::format("no link is called \"{}\"", pattern.text()),
                         where,
                         suggestion_hint(pattern.text(), names));
    }
  }
  return selected;
}

void change_link(const json& change, Link& link, const Location& where) {
  if (change.contains("bandwidth")) {
    link.bandwidth = bandwidth_of(change, where);
  }
  if (change.contains("latency")) {
    link.latency = parse_duration(text_of(change, "latency"), where.child("latency"));
  }
  link.efficiency = change.value("efficiency", link.efficiency);
  link.cost = change.value("cost", link.cost);
}

void override_links(const json& change, Fabric::Parts& parts, const Location& where) {
  const std::vector<std::size_t> selected =
      select_links(text_of(change, "link"), parts, where.child("link"));
  if (!change.value("remove", false)) {
    for (const std::size_t link : selected) {
      change_link(change, parts.links[link], where);
    }
    return;
  }
  const std::set<std::size_t> gone(selected.begin(), selected.end());
  std::vector<Link> kept;
  std::vector<LinkId> new_number(parts.links.size());
  for (std::size_t i = 0; i < parts.links.size(); ++i) {
    if (!gone.contains(i)) {
      new_number[i] = LinkId{kept.size()};
      kept.push_back(parts.links[i]);
    }
  }
  parts.links = std::move(kept);
  renumber_routes(parts.routes, new_number);
}

// The ranks at the ends of fixed routes, after some GPUs are gone.
void renumber_ends(Fabric::Parts& parts, const std::vector<bool>& is_gone) {
  std::vector<RankId> new_rank;  // [old ranks]
  std::size_t kept = 0;
  for (std::size_t device = 0; device < parts.devices.size(); ++device) {
    if (parts.devices[device].kind == DeviceKind::Gpu) {
      new_rank.push_back(is_gone[device] ? RankId{} : RankId{kept++});
    }
  }
  std::erase_if(parts.routes, [&](const FixedRoute& route) {
    return !new_rank[route.source.index()].is_valid() ||
           !new_rank[route.destination.index()].is_valid();
  });
  for (FixedRoute& route : parts.routes) {
    route.source = new_rank[route.source.index()];
    route.destination = new_rank[route.destination.index()];
  }
}

// Takes devices out, with every link that ends at one, and renumbers the others.
void remove_devices(const json& change, Fabric::Parts& parts, const Location& where) {
  const FabricBuilder names(parts);
  std::vector<bool> is_gone(parts.devices.size());
  const Location place = where.child("device");
  for (const Selected& selected :
       select_devices(NamePattern(text_of(change, "device"), place), names, place)) {
    is_gone[selected.device.index()] = true;
  }
  std::vector<DeviceId> new_number(parts.devices.size());
  std::vector<Device> devices;
  for (std::size_t i = 0; i < parts.devices.size(); ++i) {
    if (!is_gone[i]) {
      new_number[i] = DeviceId{devices.size()};
      devices.push_back(parts.devices[i]);
    }
  }
  std::vector<Link> links;
  std::vector<LinkId> new_link(parts.links.size());
  for (std::size_t i = 0; i < parts.links.size(); ++i) {
    Link& link = parts.links[i];
    link.from = new_number[link.from.index()];
    link.to = new_number[link.to.index()];
    if (link.from.is_valid() && link.to.is_valid()) {
      new_link[i] = LinkId{links.size()};
      links.push_back(std::move(link));
    }
  }
  renumber_routes(parts.routes, new_link);
  renumber_ends(parts, is_gone);
  parts.devices = std::move(devices);
  parts.links = std::move(links);
}

}  // namespace

void read_devices(const json& devices, FabricBuilder& builder, const Location& where) {
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const Location place = where.child(i);
    const NamePattern pattern(text_of(devices[i], "name"), place.child("name"));
    if (pattern.is_open()) {
      throw InvalidInput(
          "a device's name cannot hold *", place.child("name"), "write a range such as gpu[0..7]");
    }
    const DeviceKind kind = kind_of(text_of(devices[i], "kind"));
    for (const NamePattern::Match& match : pattern.names()) {
      at_place(place.child("name"), [&] {
        builder.add_device(match.name, kind, node_of(devices[i], kind, pattern, match, place));
      });
    }
  }
}

void read_links(const json& links, FabricBuilder& builder, const Location& where) {
  for (std::size_t i = 0; i < links.size(); ++i) {
    at_place(where.child(i), [&] { LinkReader(links[i], builder, where.child(i)).read(); });
  }
}

void apply_overrides(const json& overrides, Fabric::Parts& parts, const Location& where) {
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    const json& change = overrides[i];
    const Location place = where.child(i);
    if (change.contains("link") == change.contains("device")) {
      throw InvalidInput("an override names either a \"link\" or a \"device\"", place);
    }
    if (change.contains("link")) {
      override_links(change, parts, place);
    } else if (change.value("remove", false) && change.size() == 2) {
      remove_devices(change, parts, place);
    } else {
      throw InvalidInput("a device can only be removed",
                         place,
                         "write \"remove\": true, or name a \"link\" to change its rate");
    }
  }
}

}  // namespace switchyard

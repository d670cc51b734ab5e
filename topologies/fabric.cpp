// Checks of a fabric's parts, its look-ups, and the cache of its route tables.
#include "topologies/fabric.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <unordered_map>

#include <fmt/format.h>

#include "core/check.hpp"
#include "topologies/path_search.hpp"

namespace switchyard {

struct Fabric::State {
  Parts parts;
  std::unordered_map<std::string_view, DeviceId> device_by_name;
  std::unordered_map<std::string_view, LinkId> link_by_name;
  std::vector<DeviceId> gpus;                      // [ranks]
  std::vector<std::vector<RankId>> ranks_by_node;  // [nodes][ranks of it]
  std::unique_ptr<PathSearch> paths;
  std::mutex mutex;
  std::map<std::size_t, RouteTable> routes_by_rank_count;
};

namespace {

constexpr std::array<std::string_view, 5> kKindNames{"gpu", "nic", "switch", "host_memory", "ssd"};
constexpr std::array<std::string_view, 3> kPolicyNames{"hashed", "spread", "pinned"};
constexpr std::int32_t kLargestCost = 64;
constexpr std::size_t kNamesShown = 4;

void check_device(const Device& device, const Location& where) {
  const bool is_printable =
      std::all_of(device.name.begin(), device.name.end(), [](unsigned char letter) {
        return letter > ' ' && letter < 0x7F;
      });
  if (device.name.empty() || !is_printable ||
      device.name.find_first_of("[]*<>\"") != std::string::npos) {
    throw InvalidInput(fmt::format("\"{}\" cannot be a device's name", device.name),
                       where,
                       "use letters, digits and . _ - : / without blanks");
  }
}

void check_link(const Link& link, std::size_t device_count, const Location& where) {
  const auto exists = [&](DeviceId device) {
    return device.is_valid() && device.index() < device_count;
  };
  if (!exists(link.from) || !exists(link.to)) {
    throw InvalidInput(fmt::format("link \"{}\" has a dangling end", link.name), where);
  }
  if (link.from == link.to) {
    throw InvalidInput(fmt::format("link \"{}\" joins a device to itself", link.name), where);
  }
  // Each comparison is written so that NaN fails.
  if (!(link.bandwidth.value > 0) || !std::isfinite(link.bandwidth.value)) {
    throw InvalidInput(fmt::format("link \"{}\" has no bandwidth", link.name),
                       where,
                       "remove the link if it is down");
  }
  if (!(link.latency.count() >= 0) || !std::isfinite(link.latency.count())) {
    throw InvalidInput(fmt::format("link \"{}\" has an impossible latency", link.name), where);
  }
  if (!(link.efficiency > 0 && link.efficiency <= 1)) {
    throw InvalidInput(fmt::format("link \"{}\" has the efficiency {}", link.name, link.efficiency),
                       where,
                       "it is a share: above 0, at most 1");
  }
  if (link.cost < 1 || link.cost > kLargestCost) {
    throw InvalidInput(fmt::format("link \"{}\" has the cost {}", link.name, link.cost),
                       where,
                       fmt::format("it counts hops: 1 to {}", kLargestCost));
  }
}

std::string some_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kNamesShown ? text + ", ..." : text;
}

// Finds a GPU that does not reach all others, and names those it reaches and those it does not.
[[noreturn]] void report_islands(const Fabric::Parts& parts,
                                 std::span<const DeviceId> gpus,
                                 const PathSearch& paths,
                                 const Location& where) {
  for (const DeviceId gpu : gpus) {
    const std::vector<bool> reached = paths.reached_from(gpu);
    std::vector<std::string> near;
    std::vector<std::string> far;
    for (const DeviceId other : gpus) {
      const bool is_near = other == gpu || reached[other.index()];
      (is_near ? near : far).push_back(parts.devices[other.index()].name);
    }
    if (!far.empty()) {
      throw InvalidInput(
          fmt::format("the fabric is disconnected: from {} traffic reaches {} GPUs ({}) but not "
                      "the other {} ({})",
                      parts.devices[gpu.index()].name,
                      near.size(),
                      some_names(near),
                      far.size(),
                      some_names(far)),
          where,
          "add a link between the two islands, in both directions; GPUs do not pass traffic on");
    }
  }
  throw InternalError("a connected fabric was taken for a disconnected one");
}

}  // namespace

std::string_view device_kind_name(DeviceKind kind) {
  return kKindNames.at(static_cast<std::size_t>(kind));
}

std::string_view path_policy_name(PathPolicy policy) {
  return kPolicyNames.at(static_cast<std::size_t>(policy));
}

namespace {

void index_devices(const Fabric::Parts& parts,
                   std::unordered_map<std::string_view, DeviceId>& by_name,
                   const Location& where) {
  for (std::size_t i = 0; i < parts.devices.size(); ++i) {
    const Device& device = parts.devices[i];
    check_device(device, where);
    if (!by_name.emplace(device.name, DeviceId{i}).second) {
      throw InvalidInput(fmt::format("two devices are called \"{}\"", device.name), where);
    }
  }
}

void index_links(const Fabric::Parts& parts,
                 std::unordered_map<std::string_view, LinkId>& by_name,
                 const Location& where) {
  for (std::size_t i = 0; i < parts.links.size(); ++i) {
    check_link(parts.links[i], parts.devices.size(), where);
    if (!by_name.emplace(parts.links[i].name, LinkId{i}).second) {
      throw InvalidInput(fmt::format("two links are called \"{}\"", parts.links[i].name), where);
    }
  }
}

// Nodes are numbered from 0 and each holds a GPU, so the largest number among GPUs says how many.
std::vector<std::vector<RankId>> group_by_node(const Fabric::Parts& parts,
                                               std::span<const DeviceId> gpus,
                                               const Location& where) {
  std::vector<std::vector<RankId>> ranks_by_node;
  for (std::size_t rank = 0; rank < gpus.size(); ++rank) {
    const Device& gpu = parts.devices[gpus[rank].index()];
    if (!gpu.node.is_valid() || gpu.node.index() >= gpus.size()) {
      throw InvalidInput(fmt::format("GPU \"{}\" is in no possible node", gpu.name),
                         where,
                         "number the nodes from 0 without gaps");
    }
    ranks_by_node.resize(std::max(ranks_by_node.size(), gpu.node.index() + 1));
    ranks_by_node[gpu.node.index()].push_back(RankId{rank});
  }
  for (std::size_t node = 0; node < ranks_by_node.size(); ++node) {
    if (ranks_by_node[node].empty()) {
      throw InvalidInput(
          fmt::format("node {} has no GPU", node), where, "number the nodes from 0 without gaps");
    }
  }
  for (const Device& device : parts.devices) {
    if (device.node.is_valid() && device.node.index() >= ranks_by_node.size()) {
      throw InvalidInput(
          fmt::format("\"{}\" is in node {}, which has no GPU", device.name, device.node.value),
          where);
    }
  }
  return ranks_by_node;
}

}  // namespace

namespace {

void check_fixed_route(const FixedRoute& route,
                       const Fabric::Parts& parts,
                       std::span<const DeviceId> gpus,
                       const Location& where) {
  const auto is_rank = [&](RankId rank) { return rank.is_valid() && rank.index() < gpus.size(); };
  if (!is_rank(route.source) || !is_rank(route.destination) || route.source == route.destination) {
    throw InvalidInput("a route needs two different GPUs as its ends", where);
  }
  DeviceId at = gpus[route.source.index()];
  const DeviceId end = gpus[route.destination.index()];
  std::vector<LinkId> crossed = route.links;
  std::ranges::sort(crossed);
  const bool repeats = std::ranges::adjacent_find(crossed) != crossed.end();
  for (const LinkId link : route.links) {
    const bool exists = link.is_valid() && link.index() < parts.links.size();
    if (!exists || parts.links[link.index()].from != at) {
      throw InvalidInput(fmt::format("the route from {} to {} breaks off at {}",
                                     parts.devices[gpus[route.source.index()].index()].name,
                                     parts.devices[end.index()].name,
                                     parts.devices[at.index()].name),
                         where,
                         "each link must begin where the one before ends");
    }
    at = parts.links[link.index()].to;
  }
  if (at != end || repeats) {
    throw InvalidInput(fmt::format("the route from {} to {} {}",
                                   parts.devices[gpus[route.source.index()].index()].name,
                                   parts.devices[end.index()].name,
                                   repeats ? "crosses a link twice" : "does not arrive"),
                       where);
  }
}

std::vector<double> link_latencies(const Fabric::Parts& parts) {
  std::vector<double> latencies;
  latencies.reserve(parts.links.size());
  for (const Link& link : parts.links) {
    latencies.push_back(link.latency.count());
  }
  return latencies;
}

RouteTable with_fixed_routes(RouteTable shortest, const Fabric::Parts& parts) {
  const std::size_t ranks = shortest.rank_count();
  RouteTableBuilder builder(std::move(shortest), link_latencies(parts));
  std::vector<Hop> path;
  for (const FixedRoute& route : parts.routes) {
    if (route.source.index() >= ranks || route.destination.index() >= ranks) {
      continue;
    }
    path.clear();
    for (const LinkId link : route.links) {
      path.push_back({.link = link});
    }
    builder.set(route.source.index(), route.destination.index(), path);
  }
  return std::move(builder).take();
}

}  // namespace

Fabric::Fabric(Parts parts, const Location& where) : state_(std::make_shared<State>()) {
  state_->parts = std::move(parts);
  const Parts& kept = state_->parts;
  index_devices(kept, state_->device_by_name, where);
  index_links(kept, state_->link_by_name, where);
  for (std::size_t i = 0; i < kept.devices.size(); ++i) {
    if (kept.devices[i].kind == DeviceKind::Gpu) {
      state_->gpus.emplace_back(i);
    }
  }
  if (state_->gpus.empty()) {
    throw InvalidInput("the fabric has no GPU",
                       where,
                       "ranks are GPUs: give at least one device of "
                       "kind \"gpu\"");
  }
  state_->ranks_by_node = group_by_node(kept, state_->gpus, where);
  state_->paths = std::make_unique<PathSearch>(kept.devices, kept.links);
  if (!state_->paths->all_reach_all(state_->gpus)) {
    report_islands(kept, state_->gpus, *state_->paths, where);
  }
  for (std::size_t i = 0; i < kept.routes.size(); ++i) {
    check_fixed_route(kept.routes[i], kept, state_->gpus, where.child("routes").child(i));
  }
}

Fabric::Fabric(const Fabric&) = default;
Fabric& Fabric::operator=(const Fabric&) = default;
Fabric::Fabric(Fabric&&) noexcept = default;
Fabric& Fabric::operator=(Fabric&&) noexcept = default;
Fabric::~Fabric() = default;

const std::string& Fabric::name() const {
  return state_->parts.name;
}

const std::string& Fabric::source() const {
  return state_->parts.source;
}

const std::string& Fabric::calibration() const {
  return state_->parts.calibration;
}

bool Fabric::is_calibrated() const {
  return state_->parts.is_calibrated;
}

std::span<const Device> Fabric::devices() const {
  return state_->parts.devices;
}

std::span<const Link> Fabric::links() const {
  return state_->parts.links;
}

PathPolicy Fabric::path_policy() const {
  return state_->parts.path_policy;
}

std::uint64_t Fabric::path_seed() const {
  return state_->parts.path_seed;
}

std::span<const FixedRoute> Fabric::fixed_routes() const {
  return state_->parts.routes;
}

std::optional<DeviceId> Fabric::find_device(std::string_view device_name) const {
  const auto found = state_->device_by_name.find(device_name);
  return found == state_->device_by_name.end() ? std::nullopt : std::optional(found->second);
}

std::optional<LinkId> Fabric::find_link(std::string_view link_name) const {
  const auto found = state_->link_by_name.find(link_name);
  return found == state_->link_by_name.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Fabric::rank_count() const {
  return state_->gpus.size();
}

DeviceId Fabric::gpu_of(RankId rank) const {
  return state_->gpus.at(rank.index());
}

NodeId Fabric::node_of(RankId rank) const {
  return state_->parts.devices[gpu_of(rank).index()].node;
}

std::size_t Fabric::node_count() const {
  return state_->ranks_by_node.size();
}

std::span<const RankId> Fabric::ranks_of(NodeId node) const {
  return state_->ranks_by_node.at(node.index());
}

const RouteTable& Fabric::routes(std::size_t ranks) const {
  if (ranks > rank_count()) {
    throw InvalidInput(fmt::format("{} ranks do not fit on \"{}\"", ranks, name()),
                       {},
                       fmt::format("it has {} GPUs", rank_count()));
  }
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->routes_by_rank_count.find(ranks);
  if (found != state_->routes_by_rank_count.end()) {
    return found->second;
  }
  const std::span<const DeviceId> gpus{state_->gpus.data(), ranks};
  RouteTable routes = state_->paths->routes(gpus, path_policy(), path_seed());
  if (!state_->parts.routes.empty()) {
    routes = with_fixed_routes(std::move(routes), state_->parts);
  }
  return state_->routes_by_rank_count.emplace(ranks, std::move(routes)).first->second;
}

}  // namespace switchyard

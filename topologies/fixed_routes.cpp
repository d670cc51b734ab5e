#include "topologies/fixed_routes.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

using nlohmann::json;

template <class Id>
Id number_of(const std::unordered_map<std::string, Id>& numbers,
             const json& name,
             const char* what,
             const Location& where) {
  const auto found = numbers.find(name.get<std::string>());
  if (found == numbers.end()) {
    throw InvalidInput(fmt::format("no {} is called {}", what, name.dump()), where);
  }
  return found->second;
}

}  // namespace

void read_routes(const json& routes, Fabric::Parts& parts, const Location& where) {
  if (routes.empty()) {
    return;
  }
  std::unordered_map<std::string, RankId> ranks;
  for (const Device& device : parts.devices) {
    if (device.kind == DeviceKind::Gpu) {
      ranks.emplace(device.name, RankId{ranks.size()});
    }
  }
  std::unordered_map<std::string, LinkId> links;
  for (std::size_t link = 0; link < parts.links.size(); ++link) {
    links.emplace(parts.links[link].name, LinkId{link});
  }
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Location place = where.child(i);
    FixedRoute route{.source = number_of(ranks, routes[i].at("from"), "GPU", place.child("from")),
                     .destination = number_of(ranks, routes[i].at("to"), "GPU", place.child("to"))};
    const json& names = routes[i].at("links");
    for (std::size_t hop = 0; hop < names.size(); ++hop) {
      route.links.push_back(number_of(links, names[hop], "link", place.child("links").child(hop)));
    }
    parts.routes.push_back(std::move(route));
  }
}

json routes_to_json(const Fabric& fabric) {
  json routes = json::array();
  const auto name_of = [&](RankId rank) {
    return fabric.devices()[fabric.gpu_of(rank).index()].name;
  };
  for (const FixedRoute& route : fabric.fixed_routes()) {
    json names = json::array();
    for (const LinkId link : route.links) {
      names.push_back(fabric.links()[link.index()].name);
    }
    routes.push_back({{"from", name_of(route.source)},
                      {"to", name_of(route.destination)},
                      {"links", std::move(names)}});
  }
  return routes;
}

void renumber_routes(std::vector<FixedRoute>& routes, const std::vector<LinkId>& new_number) {
  std::erase_if(routes, [&](const FixedRoute& route) {
    return std::ranges::any_of(route.links,
                               [&](LinkId link) { return !new_number[link.index()].is_valid(); });
  });
  for (FixedRoute& route : routes) {
    std::ranges::transform(
        route.links, route.links.begin(), [&](LinkId link) { return new_number[link.index()]; });
  }
}

}  // namespace switchyard

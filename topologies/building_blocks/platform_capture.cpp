// SimGrid's links have no ends, so the graph is found from the routes: where two links follow each
// other, the first one's head is the second one's tail. A link whose head and tail come out the
// same is used both ways; it becomes a medium, and the ends are joined again without it.
#include "topologies/building_blocks/platform_capture.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <sstream>

#include <fmt/format.h>

#include "core/check.hpp"
#include "topologies/building_blocks/fabric_builder.hpp"

namespace switchyard {
namespace {

constexpr double kRounding = 1e-9;  // SimGrid adds latencies up in another order

class Ends {
 public:
  explicit Ends(const PlatformCapture& capture)
      : capture_(capture), is_medium_(capture.links.size(), false) {
    while (join_all()) {
    }
  }

  [[nodiscard]] std::size_t tail(std::size_t link) const { return root(2 * link); }

  [[nodiscard]] std::size_t head(std::size_t link) const { return root(2 * link + 1); }

  [[nodiscard]] std::size_t host(std::size_t host) const {
    return root(2 * capture_.links.size() + host);
  }

  [[nodiscard]] bool is_medium(std::size_t link) const { return is_medium_[link]; }

 private:
  [[nodiscard]] std::size_t root(std::size_t end) const {
    while (parent_[end] != end) {
      end = parent_[end];
    }
    return end;
  }

  void join(std::size_t one, std::size_t other) {
    const auto [low, high] = std::minmax({root(one), root(other)});
    parent_[high] = low;
  }

  /// True if another link turned out to be a medium.
  bool join_all() {
    const std::size_t links = capture_.links.size();
    parent_.resize(2 * links + capture_.hosts.size());
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    for (const PlatformRoute& route : capture_.routes) {
      std::size_t at = 2 * links + route.source;
      bool is_open = true;  // `at` is the end of something that is no medium
      for (const std::size_t link : route.links) {
        if (is_open && !is_medium_[link]) {
          join(at, 2 * link);
        }
        at = 2 * link + 1;
        is_open = !is_medium_[link];
      }
      if (is_open) {
        join(at, 2 * links + route.destination);
      }
    }
    bool found = false;
    for (std::size_t link = 0; link < links; ++link) {
      if (!is_medium_[link] && tail(link) == head(link)) {
        is_medium_[link] = true;
        found = true;
      }
    }
    return found;
  }

  const PlatformCapture& capture_;
  std::vector<bool> is_medium_;      // [links]
  std::vector<std::size_t> parent_;  // [2 links + hosts] tail and head of each link, then hosts
};

class PlatformFabric {
 public:
  explicit PlatformFabric(const PlatformCapture& capture) : capture_(capture), ends_(capture) {
    for (const PlatformLink& link : capture.links) {
      plenty_ += link.bandwidth;
    }
    add_hosts();
    add_links();
    add_routes();
  }

  [[nodiscard]] Fabric::Parts take() { return builder_.take(); }

 private:
  /// Hosts that are alone at their end of the links and let nothing pass are that end themselves.
  void add_hosts() {
    std::map<std::size_t, std::size_t> hosts_at;
    for (std::size_t host = 0; host < capture_.hosts.size(); ++host) {
      gpus_.push_back(builder_.add_device(capture_.hosts[host], DeviceKind::Gpu, NodeId{host}));
      ++hosts_at[ends_.host(host)];
    }
    for (const PlatformRoute& route : capture_.routes) {
      for (std::size_t hop = 0; hop + 1 < route.links.size(); ++hop) {
        ++hosts_at[ends_.head(route.links[hop])];
      }
    }
    for (std::size_t host = 0; host < capture_.hosts.size(); ++host) {
      if (hosts_at[ends_.host(host)] == 1) {
        vertices_.emplace(ends_.host(host), gpus_[host]);
      }
    }
  }

  DeviceId vertex(std::size_t end) {
    const auto found = vertices_.find(end);
    if (found != vertices_.end()) {
      return found->second;
    }
    const DeviceId made =
        builder_.add_device(fmt::format("switch{}", switches_++), DeviceKind::Switch);
    vertices_.emplace(end, made);
    return made;
  }

  void add_links() {
    for (std::size_t link = 0; link < capture_.links.size(); ++link) {
      const PlatformLink& captured = capture_.links[link];
      DeviceId from;
      DeviceId to;
      if (ends_.is_medium(link)) {
        from = builder_.add_device(captured.name + ".in", DeviceKind::Switch);
        to = builder_.add_device(captured.name + ".out", DeviceKind::Switch);
      } else {
        from = vertex(ends_.tail(link));
        to = vertex(ends_.head(link));
      }
      tails_.push_back(from);
      heads_.push_back(to);
      links_.push_back(builder_.connect_one_way(
          from,
          to,
          {.bandwidth = {captured.is_shared ? captured.bandwidth : plenty_},
           .latency = Seconds{captured.latency_s}},
          captured.name));
    }
  }

  /// A link that limits nothing: all it carries crosses a link of the platform too.
  LinkId connector(DeviceId from, DeviceId to) {
    const auto found = connectors_.find({from, to});
    if (found != connectors_.end()) {
      return found->second;
    }
    const LinkId made = builder_.connect_one_way(from, to, {.bandwidth = {plenty_}});
    connectors_.emplace(std::pair(from, to), made);
    return made;
  }

  void add_routes() {
    for (const PlatformRoute& captured : capture_.routes) {
      FixedRoute route{.source = RankId{captured.source},
                       .destination = RankId{captured.destination}};
      DeviceId at = gpus_[captured.source];
      for (const std::size_t link : captured.links) {
        if (at != tails_[link]) {
          route.links.push_back(connector(at, tails_[link]));
        }
        route.links.push_back(links_[link]);
        at = heads_[link];
      }
      if (at != gpus_[captured.destination]) {
        route.links.push_back(connector(at, gpus_[captured.destination]));
      }
      builder_.parts().routes.push_back(std::move(route));
    }
  }

  const PlatformCapture& capture_;
  Ends ends_;
  FabricBuilder builder_;
  double plenty_ = 0;  // bytes/s that no traffic can fill
  std::size_t switches_ = 0;
  std::vector<DeviceId> gpus_;                // [hosts]
  std::vector<DeviceId> tails_;               // [links]
  std::vector<DeviceId> heads_;               // [links]
  std::vector<LinkId> links_;                 // [links]
  std::map<std::size_t, DeviceId> vertices_;  // by root of the ends
  std::map<std::pair<DeviceId, DeviceId>, LinkId> connectors_;
};

void check_route(const PlatformCapture& capture,
                 const PlatformRoute& route,
                 const Location& where) {
  const auto between = [&] {
    return fmt::format(
        "between \"{}\" and \"{}\"", capture.hosts[route.source], capture.hosts[route.destination]);
  };
  if (route.links.empty()) {
    throw InvalidInput(fmt::format("no link lies {}", between()), where);
  }
  double latency = 0;
  double narrowest = std::numeric_limits<double>::infinity();
  double cap = std::numeric_limits<double>::infinity();
  for (const std::size_t link : route.links) {
    const PlatformLink& crossed = capture.links[link];
    latency += crossed.latency_s;
    double& least = crossed.is_shared ? narrowest : cap;
    least = std::min(least, crossed.bandwidth);
  }
  if (std::abs(latency - route.latency_s) > kRounding * (latency + route.latency_s)) {
    throw MissingCapability(
        fmt::format("the latency {} is not that of its links", between()),
        where,
        "zones with coordinates (Vivaldi) cannot be read: give the links latencies");
  }
  if (cap < narrowest) {
    throw MissingCapability(
        fmt::format("a FATPIPE link narrower than the others lies {}", between()),
        where,
        "make it SHARED, or widen it and cap transfers with network.flow_rate_cap");
  }
}

}  // namespace

PlatformCapture parse_capture(std::string_view text) {
  PlatformCapture capture;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "host") {
      std::getline(words >> std::ws, capture.hosts.emplace_back());
    } else if (kind == "link") {
      PlatformLink& link = capture.links.emplace_back();
      std::string sharing;
      words >> link.bandwidth >> link.latency_s >> sharing;
      link.is_shared = sharing == "shared";
      std::getline(words >> std::ws, link.name);
    } else {
      SWITCHYARD_CHECK(kind == "route", "a platform's capture holds an unknown line");
      PlatformRoute& route = capture.routes.emplace_back();
      words >> route.source >> route.destination >> route.latency_s;
      SWITCHYARD_CHECK(
          words && route.source < capture.hosts.size() && route.destination < capture.hosts.size(),
          "a platform's route has impossible ends");
      for (std::size_t link = 0; words >> link;) {
        SWITCHYARD_CHECK(link < capture.links.size(), "a platform's route has an impossible link");
        route.links.push_back(link);
      }
    }
  }
  return capture;
}

Fabric fabric_of_capture(const PlatformCapture& capture,
                         const std::string& name,
                         const Location& where) {
  for (const PlatformRoute& route : capture.routes) {
    check_route(capture, route, where);
  }
  try {
    Fabric::Parts parts = PlatformFabric(capture).take();
    parts.name = name;
    parts.source = "SimGrid platform " + where.file;
    return Fabric(std::move(parts), where);
  } catch (const InvalidInput& error) {
    if (!error.where().text().empty()) {
      throw;
    }
    throw InvalidInput(error.what(), where, error.hint());
  }
}

}  // namespace switchyard

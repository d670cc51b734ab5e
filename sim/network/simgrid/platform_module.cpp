// Loads a SimGrid platform file and writes down what SimGrid made of it: hosts, links and the route
// of every pair. Whatever zones, clusters or routing the file uses, SimGrid answers the routes.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <simgrid/s4u.hpp>
#include <unistd.h>

#include "topologies/building_blocks/platform_capture.hpp"

namespace switchyard {
namespace {

namespace s4u = simgrid::s4u;

constexpr std::size_t kMostHosts = 512;  // a route for every pair is written out

/// node-2 before node-10.
bool comes_first(const std::string& one, const std::string& other) {
  const auto is_digit = [](char letter) {
    return std::isdigit(static_cast<unsigned char>(letter)) != 0;
  };
  std::size_t a = 0;
  std::size_t b = 0;
  while (a < one.size() && b < other.size()) {
    if (!is_digit(one[a]) || !is_digit(other[b])) {
      if (one[a] != other[b]) {
        return one[a] < other[b];
      }
      ++a;
      ++b;
      continue;
    }
    const auto number_at = [&](const std::string& text, std::size_t& at) {
      const std::size_t begin = at;
      while (at < text.size() && is_digit(text[at])) {
        ++at;
      }
      const std::size_t first = std::min(text.find_first_not_of('0', begin), at);
      return std::pair(at - first, text.substr(first, at - first));
    };
    const auto left = number_at(one, a);
    const auto right = number_at(other, b);
    if (left != right) {
      return left < right;
    }
  }
  return std::tuple(one.size() - a, one) < std::tuple(other.size() - b, other);
}

class Capture {
 public:
  std::string text() {
    std::vector<s4u::Host*> hosts = s4u::Engine::get_instance()->get_all_hosts();
    if (hosts.empty()) {
      throw std::runtime_error("the platform has no hosts");
    }
    if (hosts.size() > kMostHosts) {
      throw std::runtime_error(
          fmt::format("the platform has {} hosts; up to {} can be read", hosts.size(), kMostHosts));
    }
    std::ranges::sort(hosts, [](const s4u::Host* one, const s4u::Host* other) {
      return comes_first(one->get_name(), other->get_name());
    });
    for (const s4u::Host* host : hosts) {
      items_ += fmt::format("host {}\n", host->get_name());
    }
    for (std::size_t source = 0; source < hosts.size(); ++source) {
      for (std::size_t destination = 0; destination < hosts.size(); ++destination) {
        if (source != destination) {
          add_route(hosts, source, destination);
        }
      }
    }
    return items_ + routes_;
  }

 private:
  void add_route(const std::vector<s4u::Host*>& hosts,
                 std::size_t source,
                 std::size_t destination) {
    std::vector<s4u::Link*> links;
    double latency = 0;
    hosts[source]->route_to(hosts[destination], links, &latency);
    routes_ += fmt::format("route {} {} {:.17g}", source, destination, latency);
    for (const s4u::Link* link : links) {
      routes_ += fmt::format(" {}", number_of(*link));
    }
    routes_ += '\n';
  }

  std::size_t number_of(const s4u::Link& link) {
    const auto [found, is_new] = numbers_.emplace(&link, numbers_.size());
    if (is_new) {
      const s4u::Link::SharingPolicy policy = link.get_sharing_policy();
      if (policy == s4u::Link::SharingPolicy::WIFI) {
        throw std::runtime_error("link \"" + link.get_name() + "\" is WIFI");
      }
      items_ += fmt::format("link {:.17g} {:.17g} {} {}\n",
                            link.get_bandwidth(),
                            link.get_latency(),
                            policy == s4u::Link::SharingPolicy::FATPIPE ? "fatpipe" : "shared",
                            link.get_name());
    }
    return found->second;
  }

  std::map<const s4u::Link*, std::size_t> numbers_;
  std::string items_;
  std::string routes_;
};

void write_all(int output, const std::string& text) {
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t count = ::write(output, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) {
      throw std::runtime_error("no memory for the platform's routes");
    }
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
}

}  // namespace
}  // namespace switchyard

extern "C" void switchyard_simgrid_platform(const char* path, int output) {
  char name[] = "switchyard";
  char log[] = "--log=root.thresh:critical";
  char* arguments[] = {name, log, nullptr};
  int count = 2;
  const simgrid::s4u::Engine engine(&count, arguments);
  engine.load_platform(path);
  switchyard::write_all(output, switchyard::Capture().text());
}

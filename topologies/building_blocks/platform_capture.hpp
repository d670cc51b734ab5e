// A SimGrid platform as SimGrid itself sees it: hosts, links without ends, and the links that every
// pair of hosts uses. What passes between the reader of platforms and the module that holds
// SimGrid, as text, and what a fabric is made from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "topologies/fabric.hpp"

namespace switchyard {

/// The module, and its symbol `extern "C" void switchyard_simgrid_platform(const char*, int)`,
/// which loads a platform file and writes its capture to a file descriptor. Throws std::exception
/// or aborts when SimGrid is unhappy. One line each, numbers before names:
///   host NAME
///   link BYTES_PER_SECOND SECONDS shared|fatpipe NAME
///   route SOURCE DESTINATION SECONDS LINK...     (numbers of hosts and links, in order)
constexpr const char* kSimgridModule = "libswitchyard_simgrid.so";
constexpr const char* kSimgridPlatformSymbol = "switchyard_simgrid_platform";
using SimgridPlatformFunction = void (*)(const char* path, int output);

struct PlatformLink {
  std::string name;
  double bandwidth = 0;  // bytes/s
  double latency_s = 0;
  bool is_shared = true;  // false: FATPIPE, a cap for each transfer by itself
};

struct PlatformRoute {
  std::size_t source = 0;
  std::size_t destination = 0;
  double latency_s = 0;
  std::vector<std::size_t> links;  // in path order
};

struct PlatformCapture {
  std::vector<std::string> hosts;
  std::vector<PlatformLink> links;
  std::vector<PlatformRoute> routes;
};

/// Reads the module's text. Throws InternalError if it is not as said above.
PlatformCapture parse_capture(std::string_view text);

/// A fabric with these links and exactly these routes; every host is a GPU and a node of its own. A
/// link that is used in both directions of a pair becomes a medium: two switches with the link
/// between them. Throws InvalidInput or MissingCapability against `where` for what a fabric cannot
/// say: latency that belongs to no link, a FATPIPE narrower than the rest of a route.
Fabric fabric_of_capture(const PlatformCapture& capture,
                         const std::string& name,
                         const Location& where);

}  // namespace switchyard

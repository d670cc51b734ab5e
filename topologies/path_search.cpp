// The search graph is stored against the direction of travel: one breadth-first search from a
// destination gives every vertex its ways on towards it, which is what switches hold as forwarding
// tables. Routes of all sources are then read off by walking forward.
#include "topologies/path_search.hpp"

#include <algorithm>
#include <utility>

#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/property_map/property_map.hpp>

#include "core/check.hpp"
#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

using Graph = boost::compressed_sparse_row_graph<boost::directedS>;
using Vertex = std::uint32_t;

constexpr std::int32_t kUnreached = -1;
constexpr std::int32_t kNoLink = -1;  // second and further edges of a link that costs several hops

struct Edge {
  Vertex from;
  Vertex to;
  std::int32_t link;
};

// Vertices of the search graph: device d leaves by exits[d] and is entered at entrances[d].
struct Doors {
  std::vector<Vertex> exits;
  std::vector<Vertex> entrances;
  std::size_t vertex_count = 0;
};

bool is_split(const Device& device) {
  return device.kind == DeviceKind::Nic ? device.node.is_valid()
                                        : device.kind != DeviceKind::Switch;
}

Doors doors_of(std::span<const Device> devices) {
  Doors doors;
  for (const Device& device : devices) {
    doors.exits.push_back(static_cast<Vertex>(doors.vertex_count++));
    doors.entrances.push_back(is_split(device) ? static_cast<Vertex>(doors.vertex_count++)
                                               : doors.exits.back());
  }
  return doors;
}

// Of a NIC, the exit doubles as the outbound half (node to outside), the entrance as the inbound.
bool is_outbound(const Device& nic, const Device& previous_or_next, bool is_entering) {
  const bool other_is_inside = previous_or_next.node == nic.node;
  return is_entering ? other_is_inside : !other_is_inside;
}

Vertex leaving_vertex(std::span<const Device> devices, const Doors& doors, const Link& link) {
  const Device& from = devices[link.from.index()];
  const bool takes_exit =
      from.kind != DeviceKind::Nic || is_outbound(from, devices[link.to.index()], false);
  return takes_exit ? doors.exits[link.from.index()] : doors.entrances[link.from.index()];
}

Vertex entering_vertex(std::span<const Device> devices, const Doors& doors, const Link& link) {
  const Device& to = devices[link.to.index()];
  const bool takes_exit =
      to.kind == DeviceKind::Nic && is_outbound(to, devices[link.from.index()], true);
  return takes_exit ? doors.exits[link.to.index()] : doors.entrances[link.to.index()];
}

// Distances from one vertex, and the vertices in order of discovery.
struct Search {
  std::vector<std::int32_t> distance;  // [vertices] kUnreached where there is no way
  std::vector<Vertex> order;
};

class DistanceRecorder : public boost::default_bfs_visitor {
 public:
  explicit DistanceRecorder(Search& search) : search_(&search) {}

  void discover_vertex(Graph::vertex_descriptor vertex, const Graph& /*graph*/) const {
    search_->order.push_back(static_cast<Vertex>(vertex));
  }

  void tree_edge(const Graph::edge_descriptor& edge, const Graph& graph) const {
    search_->distance[boost::target(edge, graph)] =
        search_->distance[boost::source(edge, graph)] + 1;
  }

 private:
  Search* search_;
};

void search_from(const Graph& graph, Vertex start, Search& search) {
  search.distance.assign(boost::num_vertices(graph), kUnreached);
  search.distance[start] = 0;
  search.order.clear();
  boost::breadth_first_search(
      graph, boost::vertex(start, graph), boost::visitor(DistanceRecorder(search)));
}

Graph graph_of(std::size_t vertex_count, const std::vector<Edge>& edges, bool against_travel) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  pairs.reserve(edges.size());
  for (const Edge& edge : edges) {
    pairs.emplace_back(against_travel ? edge.to : edge.from, against_travel ? edge.from : edge.to);
  }
  return {boost::edges_are_unsorted_multi_pass, pairs.begin(), pairs.end(), vertex_count};
}

// A way on from a vertex towards the destination searched for.
struct Step {
  Vertex to;
  std::int32_t link;
};

}  // namespace

struct PathSearch::State {
  Doors doors;
  std::vector<Edge> edges;              // by `from`
  std::vector<std::uint32_t> outgoing;  // [vertices + 1] into edges
  std::vector<double> latency_s;        // [links]
  Graph along;                          // edges as travelled
  Graph against;                        // edges turned round

  // The ways on from each vertex towards one destination: what the switches' tables would hold.
  struct Forwarding {
    Search search;                     // from the destination, against travel
    std::vector<std::uint32_t> first;  // [vertices + 1] into steps
    std::vector<Step> steps;
    std::vector<double> longest_s;  // [vertices] latency of the slowest way to the destination
    std::vector<double> share;      // [vertices] scratch of a spread walk, all zero between walks
    std::vector<Vertex> frontier;   // scratch of a spread walk
  };

  void forward_to(DeviceId destination, Forwarding& forwarding) const;
  void find_longest(Forwarding& forwarding) const;

  template <class Emit>
  void walk_one(Vertex source,
                Vertex destination,
                std::uint64_t hash,
                const Forwarding& forwarding,
                const Emit& emit) const;
  template <class Emit>
  void walk_spread(Vertex source, Forwarding& forwarding, const Emit& emit) const;
};

void PathSearch::State::forward_to(DeviceId destination, Forwarding& forwarding) const {
  search_from(against, doors.entrances[destination.index()], forwarding.search);
  const std::vector<std::int32_t>& distance = forwarding.search.distance;
  forwarding.first.assign(1, 0);
  forwarding.steps.clear();
  for (std::size_t vertex = 0; vertex < doors.vertex_count; ++vertex) {
    for (std::uint32_t i = outgoing[vertex]; i < outgoing[vertex + 1]; ++i) {
      const Edge& edge = edges[i];
      if (distance[edge.to] != kUnreached && distance[edge.to] + 1 == distance[vertex]) {
        forwarding.steps.push_back({edge.to, edge.link});
      }
    }
    forwarding.first.push_back(static_cast<std::uint32_t>(forwarding.steps.size()));
  }
}

void PathSearch::State::find_longest(Forwarding& forwarding) const {
  forwarding.longest_s.assign(doors.vertex_count, 0);
  for (const Vertex vertex : forwarding.search.order) {
    double longest = 0;
    for (std::uint32_t i = forwarding.first[vertex]; i < forwarding.first[vertex + 1]; ++i) {
      const Step& step = forwarding.steps[i];
      const double own = step.link == kNoLink ? 0 : latency_s[static_cast<std::size_t>(step.link)];
      longest = std::max(longest, own + forwarding.longest_s[step.to]);
    }
    forwarding.longest_s[vertex] = longest;
  }
}

template <class Emit>
void PathSearch::State::walk_one(Vertex source,
                                 Vertex destination,
                                 std::uint64_t hash,
                                 const Forwarding& forwarding,
                                 const Emit& emit) const {
  Vertex vertex = source;
  while (vertex != destination) {
    const std::uint32_t first = forwarding.first[vertex];
    const std::uint32_t ways = forwarding.first[vertex + 1] - first;
    const std::uint64_t pick = ways == 1 ? 0 : mix_bits(hash, vertex) % ways;
    const Step& step = forwarding.steps[first + pick];
    if (step.link != kNoLink) {
      emit(Hop{LinkId{step.link}, 1});
    }
    vertex = step.to;
  }
}

// Every step leads one hop nearer, so a vertex has its whole share before it is taken from the
// frontier.
template <class Emit>
void PathSearch::State::walk_spread(Vertex source, Forwarding& forwarding, const Emit& emit) const {
  forwarding.share.resize(doors.vertex_count, 0);
  forwarding.frontier.assign(1, source);
  forwarding.share[source] = 1;
  for (std::size_t next = 0; next < forwarding.frontier.size(); ++next) {
    const Vertex vertex = forwarding.frontier[next];
    const std::uint32_t first = forwarding.first[vertex];
    const std::uint32_t last = forwarding.first[vertex + 1];
    const double part = forwarding.share[vertex] / (last - first);
    forwarding.share[vertex] = 0;
    for (std::uint32_t i = first; i < last; ++i) {
      const Step& step = forwarding.steps[i];
      if (step.link != kNoLink) {
        emit(Hop{LinkId{step.link}, static_cast<float>(part)});
      }
      if (forwarding.share[step.to] == 0) {
        forwarding.frontier.push_back(step.to);
      }
      forwarding.share[step.to] += part;
    }
  }
}

PathSearch::PathSearch(std::span<const Device> devices, std::span<const Link> links)
    : state_(std::make_unique<State>()) {
  state_->doors = doors_of(devices);
  std::size_t& vertex_count = state_->doors.vertex_count;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = links[i];
    Vertex from = leaving_vertex(devices, state_->doors, link);
    const Vertex to = entering_vertex(devices, state_->doors, link);
    auto number = static_cast<std::int32_t>(i);
    for (std::int32_t hop = 1; hop < link.cost; ++hop) {
      const auto between = static_cast<Vertex>(vertex_count++);
      state_->edges.push_back({from, between, std::exchange(number, kNoLink)});
      from = between;
    }
    state_->edges.push_back({from, to, number});
    state_->latency_s.push_back(link.latency.count());
  }
  std::stable_sort(state_->edges.begin(), state_->edges.end(), [](const Edge& a, const Edge& b) {
    return a.from < b.from;
  });
  state_->outgoing.assign(vertex_count + 1, 0);
  for (const Edge& edge : state_->edges) {
    ++state_->outgoing[edge.from + 1];
  }
  for (std::size_t vertex = 0; vertex < vertex_count; ++vertex) {
    state_->outgoing[vertex + 1] += state_->outgoing[vertex];
  }
  state_->along = graph_of(vertex_count, state_->edges, false);
  state_->against = graph_of(vertex_count, state_->edges, true);
}

PathSearch::PathSearch(PathSearch&&) noexcept = default;
PathSearch& PathSearch::operator=(PathSearch&&) noexcept = default;
PathSearch::~PathSearch() = default;

std::vector<bool> PathSearch::reached_from(DeviceId source) const {
  Search search;
  search_from(state_->along, state_->doors.exits[source.index()], search);
  std::vector<bool> reached;
  for (const Vertex entrance : state_->doors.entrances) {
    reached.push_back(search.distance[entrance] != kUnreached);
  }
  return reached;
}

bool PathSearch::all_reach_all(std::span<const DeviceId> gpus) const {
  const Doors& doors = state_->doors;
  const auto everybody = [&](const Search& search, const std::vector<Vertex>& side) {
    return std::all_of(gpus.begin(), gpus.end(), [&](DeviceId gpu) {
      return search.distance[side[gpu.index()]] != kUnreached;
    });
  };
  if (gpus.size() < 2) {
    return true;
  }
  // Any vertex on the way between the first and the last GPU that all come from and all lead to.
  State::Forwarding forwarding;
  state_->forward_to(gpus.back(), forwarding);
  const Vertex last = doors.entrances[gpus.back().index()];
  Vertex vertex = doors.exits[gpus.front().index()];
  if (forwarding.search.distance[vertex] == kUnreached) {
    return false;
  }
  Search search;
  for (; vertex != last; vertex = forwarding.steps[forwarding.first[vertex]].to) {
    search_from(state_->along, vertex, search);
    if (!everybody(search, doors.entrances)) {
      continue;
    }
    search_from(state_->against, vertex, search);
    if (everybody(search, doors.exits)) {
      return true;
    }
  }
  return std::all_of(gpus.begin(), gpus.end(), [&](DeviceId gpu) {
    search_from(state_->along, doors.exits[gpu.index()], search);
    search.distance[doors.entrances[gpu.index()]] = 0;  // nobody travels to itself
    return everybody(search, doors.entrances);
  });
}

RouteTable PathSearch::routes(std::span<const DeviceId> gpus,
                              PathPolicy policy,
                              std::uint64_t seed) const {
  const std::size_t ranks = gpus.size();
  const Doors& doors = state_->doors;
  RouteTableBuilder table(ranks, state_->latency_s);
  State::Forwarding forwarding;
  std::vector<Hop> hops;
  for (std::size_t destination = 0; destination < ranks; ++destination) {
    state_->forward_to(gpus[destination], forwarding);
    state_->find_longest(forwarding);
    const Vertex end = doors.entrances[gpus[destination].index()];
    for (std::size_t source = 0; source < ranks; ++source) {
      const Vertex start = doors.exits[gpus[source].index()];
      if (source == destination) {
        continue;
      }
      SWITCHYARD_CHECK(forwarding.search.distance[start] != kUnreached, "GPUs not connected");
      hops.clear();
      const auto emit = [&](Hop hop) { hops.push_back(hop); };
      if (policy == PathPolicy::Spread) {
        state_->walk_spread(start, forwarding, emit);
        table.set_spread(source, destination, hops, forwarding.longest_s[start]);
      } else {
        const std::uint64_t flow = policy == PathPolicy::Pinned ? seed : mix_bits(seed, source);
        state_->walk_one(start, end, mix_bits(flow, destination), forwarding, emit);
        table.set(source, destination, hops);
      }
    }
  }
  return std::move(table).take();
}

}  // namespace switchyard

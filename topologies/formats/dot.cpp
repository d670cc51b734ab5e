// DOT, for pictures: `dot -Tpng` or `neato`. The two directions of a cable become one line where
// they are alike, and each node a box of its own.
#include <algorithm>
#include <map>
#include <sstream>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphviz.hpp>
#include <fmt/format.h>

#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

struct Line {
  const Link* link = nullptr;
  bool is_double = false;  // stands for both directions
};

using Graph = boost::
    adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, boost::no_property, Line>;

struct Look {
  std::string_view shape;
  std::string_view colour;
};

Look look_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::Gpu:
      return {"box", "#b7d7a8"};
    case DeviceKind::Nic:
      return {"hexagon", "#f6d7a7"};
    case DeviceKind::Switch:
      return {"ellipse", "#a9c9e8"};
    case DeviceKind::HostMemory:
      return {"folder", "#e0e0e0"};
    case DeviceKind::Ssd:
      return {"cylinder", "#e0e0e0"};
  }
  return {"box", "#ffffff"};
}

Graph graph_of(const Fabric& fabric) {
  Graph graph(fabric.devices().size());
  // A direction waits here for an equal one the other way.
  std::multimap<std::pair<DeviceId, DeviceId>, Graph::edge_descriptor> waiting;
  for (const Link& link : fabric.links()) {
    const auto [first, last] = waiting.equal_range({link.to, link.from});
    const auto twin = std::find_if(first, last, [&](const auto& candidate) {
      const Link& back = *graph[candidate.second].link;
      return back.bandwidth == link.bandwidth && back.latency == link.latency &&
             back.efficiency == link.efficiency;
    });
    if (twin != last) {
      graph[twin->second].is_double = true;
      waiting.erase(twin);
      continue;
    }
    const auto edge =
        boost::add_edge(link.from.index(), link.to.index(), Line{&link, false}, graph).first;
    waiting.emplace(std::pair{link.from, link.to}, edge);
  }
  return graph;
}

class Dot final : public TopologyFormat {
 public:
  explicit Dot(Parameters& parameters)
      : has_labels_(parameters.get_flag("labels", true, "write each link's rate beside it")) {}

  [[nodiscard]] bool can_write() const override { return true; }

  [[nodiscard]] std::string write(const Fabric& fabric) const override {
    const Graph graph = graph_of(fabric);
    std::ostringstream text;
    const auto write_device = [&](std::ostream& out, std::size_t number) {
      const Device& device = fabric.devices()[number];
      const Look look = look_of(device.kind);
      out << fmt::format("[label={}, shape={}, style=filled, fillcolor=\"{}\"]",
                         boost::escape_dot_string(device.name),
                         look.shape,
                         look.colour);
    };
    const auto write_link = [&](std::ostream& out, const Graph::edge_descriptor& edge) {
      const Line& line = graph[edge];
      const std::string rate = format_quantity(line.link->effective_bandwidth());
      out << fmt::format("[dir={}, arrowsize=0.5{}]",
                         line.is_double ? "none" : "forward",
                         has_labels_ ? fmt::format(", fontsize=9, label=\"{}\"", rate) : "");
    };
    const auto write_graph = [&](std::ostream& out) {
      out << "label=" << boost::escape_dot_string(fabric.name()) << ";\nlabelloc=t;\n"
          << "node [fontname=\"Helvetica\", fontsize=11];\nedge [fontname=\"Helvetica\"];\n";
      write_boxes(fabric, out);
    };
    boost::write_graphviz(text, graph, write_device, write_link, write_graph);
    return text.str();
  }

 private:
  static void write_boxes(const Fabric& fabric, std::ostream& out) {
    std::map<NodeId, std::string> members;
    for (std::size_t i = 0; i < fabric.devices().size(); ++i) {
      if (fabric.devices()[i].node.is_valid()) {
        members[fabric.devices()[i].node] += fmt::format(" {};", i);
      }
    }
    for (const auto& [node, devices] : members) {
      out << fmt::format("subgraph cluster_{0} {{ label=\"node {0}\"; color=\"#888888\";{1} }}\n",
                         node.value,
                         devices);
    }
  }

  bool has_labels_;
};

const Register<TopologyFormat, Dot> kDot{"dot", "DOT for pictures by Graphviz (write)"};

}  // namespace
}  // namespace switchyard

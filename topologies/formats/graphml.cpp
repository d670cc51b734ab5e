// GraphML, the whole fabric: what is written reads back equal. Every value is text, quantities with
// their units. An undirected file from another tool gives each edge both directions.
#include <algorithm>
#include <charconv>
#include <sstream>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphml.hpp>
#include <boost/property_tree/exceptions.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "core/files/text_reader.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestGraphml = std::size_t{256} << 20U;
// The reader in Boost descends by recursion; GraphML itself needs six levels.
constexpr int kDeepestXml = 64;

// Empty = not given.
struct VertexTexts {
  std::string name;
  std::string kind;
  std::string node;
};

struct EdgeTexts {
  std::string name;
  std::string bandwidth;
  std::string latency;
  std::string efficiency;
  std::string cost;
};

struct WholeTexts {
  std::string name;
  std::string source;
  std::string calibrated;
  std::string path_policy;
  std::string path_seed;
};

// Not directedS: this kind keeps the edges in the order of the file.
template <class Directedness>
using GraphOf = boost::
    adjacency_list<boost::vecS, boost::vecS, Directedness, VertexTexts, EdgeTexts, WholeTexts>;

template <class Graph>
boost::dynamic_properties properties_of(Graph& graph) {
  // Keys of other tools (colours, positions) are passed over.
  boost::dynamic_properties properties(boost::ignore_other_properties);
  WholeTexts& whole = graph[boost::graph_bundle];
  const auto of_graph = [&](const char* key, std::string& text) {
    properties.property(key, boost::ref_property_map<Graph*, std::string>(text));
  };
  of_graph("name", whole.name);
  of_graph("source", whole.source);
  of_graph("calibrated", whole.calibrated);
  of_graph("path_policy", whole.path_policy);
  of_graph("path_seed", whole.path_seed);
  properties.property("name", boost::get(&VertexTexts::name, graph));
  properties.property("kind", boost::get(&VertexTexts::kind, graph));
  properties.property("node", boost::get(&VertexTexts::node, graph));
  properties.property("name", boost::get(&EdgeTexts::name, graph));
  properties.property("bandwidth", boost::get(&EdgeTexts::bandwidth, graph));
  properties.property("latency", boost::get(&EdgeTexts::latency, graph));
  properties.property("efficiency", boost::get(&EdgeTexts::efficiency, graph));
  properties.property("cost", boost::get(&EdgeTexts::cost, graph));
  return properties;
}

// A file made safe for Boost's reader: not too deep, every value declared as text.
class CheckedXml {
 public:
  CheckedXml(const std::string& text, const Location& where) {
    const pugi::xml_parse_result result = document_.load_buffer(text.data(), text.size());
    if (!result) {
      throw InvalidInput(fmt::format("not an XML file: {}", result.description()),
                         where.at_offset(static_cast<std::size_t>(result.offset)));
    }
    DepthCheck check;
    if (!document_.traverse(check)) {
      throw InvalidInput("the XML is too deep for GraphML", where);
    }
    const pugi::xml_node root = document_.child("graphml");
    if (!root.child("graph")) {
      throw InvalidInput("no <graph>: this is not a GraphML file", where);
    }
    for (const pugi::xml_node& key : root.children("key")) {
      pugi::xml_attribute type = key.attribute("attr.type");
      (type ? type : pugi::xml_node(key).append_attribute("attr.type")).set_value("string");
    }
    is_directed_ =
        std::string_view(root.child("graph").attribute("edgedefault").value()) != "undirected";
    for (const pugi::xml_node& node : root.child("graph").children("node")) {
      ids_.emplace_back(node.attribute("id").value());
    }
  }

  [[nodiscard]] bool is_directed() const { return is_directed_; }

  /// Of the nodes, in order.
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

  [[nodiscard]] std::string text() const {
    std::ostringstream stream;
    document_.save(stream, "", pugi::format_raw);
    return stream.str();
  }

 private:
  struct DepthCheck : pugi::xml_tree_walker {
    bool for_each(pugi::xml_node& /*node*/) override { return depth() < kDeepestXml; }
  };

  pugi::xml_document document_;
  std::vector<std::string> ids_;
  bool is_directed_ = true;
};

// Texts that other tools write as numbers.
json number_of(const std::string& text, const Location& where) {
  json value = json::parse(text, nullptr, false);
  if (!value.is_number()) {
    throw InvalidInput(fmt::format("\"{}\" is not a number", text), where);
  }
  return value;
}

template <class Graph>
json devices_of(const Graph& graph, const std::vector<std::string>& ids, const Location& where) {
  json devices = json::array();
  for (std::size_t i = 0; i < boost::num_vertices(graph); ++i) {
    const VertexTexts& vertex = graph[i];
    const std::string name = vertex.name.empty() && i < ids.size() ? ids[i] : vertex.name;
    json& device = devices.emplace_back(json{{"name", name}, {"kind", vertex.kind}});
    if (vertex.kind.empty()) {
      throw InvalidInput(fmt::format("node \"{}\" has no \"kind\"", name),
                         where,
                         "it is gpu, nic, switch, host_memory or ssd");
    }
    if (!vertex.node.empty()) {
      device["node"] = number_of(vertex.node, where);
    }
  }
  return devices;
}

template <class Graph>
json links_of(const Graph& graph, bool is_directed, const json& devices, const Location& where) {
  json links = json::array();
  for (const auto& edge : boost::make_iterator_range(boost::edges(graph))) {
    const EdgeTexts& texts = graph[edge];
    json link{{"from", devices[boost::source(edge, graph)]["name"]},
              {"to", devices[boost::target(edge, graph)]["name"]},
              {"duplex", is_directed ? "one_way" : "full"}};
    const auto put = [&](const char* key, const std::string& text, bool is_number) {
      if (!text.empty()) {
        link[key] = is_number ? number_of(text, where) : json(text);
      }
    };
    if (is_directed) {
      put("name", texts.name, false);
    }
    put("bandwidth", texts.bandwidth, false);
    put("latency", texts.latency, false);
    put("efficiency", texts.efficiency, true);
    put("cost", texts.cost, true);
    links.push_back(std::move(link));
  }
  return links;
}

// Through the document, so that all checks of topology files hold here too.
template <class Directedness>
Fabric read_as(const CheckedXml& xml, const Location& where) {
  GraphOf<Directedness> graph;
  boost::dynamic_properties properties = properties_of(graph);
  std::istringstream stream(xml.text());
  try {
    boost::read_graphml(stream, graph, properties);
  } catch (const boost::graph_exception& error) {
    throw InvalidInput(error.what(), where);
  } catch (const boost::property_tree::ptree_error& error) {
    throw InvalidInput(fmt::format("a GraphML element lacks something: {}", error.what()), where);
  }
  const WholeTexts& whole = graph[boost::graph_bundle];
  json document{{"name", whole.name}, {"source", whole.source}};
  document["calibrated"] = whole.calibrated == "true";
  if (!whole.path_policy.empty()) {
    document["path_policy"] = whole.path_policy;
  }
  if (!whole.path_seed.empty()) {
    document["path_seed"] = number_of(whole.path_seed, where);
  }
  document["devices"] = devices_of(graph, xml.ids(), where);
  document["links"] = links_of(graph, xml.is_directed(), document["devices"], where);
  return fabric_from_json(document, where);
}

class Graphml final : public TopologyFormat {
 public:
  explicit Graphml(Parameters& /*parameters*/) {}

  [[nodiscard]] bool can_read() const override { return true; }

  [[nodiscard]] bool can_write() const override { return true; }

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    return beginning_of(path).find("<graphml") != std::string::npos;
  }

  [[nodiscard]] Fabric read(const std::filesystem::path& path) const override {
    const Location where{path.string(), ""};
    const CheckedXml xml(read_text_file(path, kLargestGraphml), where);
    return xml.is_directed() ? read_as<boost::bidirectionalS>(xml, where)
                             : read_as<boost::undirectedS>(xml, where);
  }

  [[nodiscard]] std::string write(const Fabric& fabric) const override {
    if (!fabric.fixed_routes().empty()) {
      throw MissingCapability("GraphML has no place for routes laid down link by link",
                              {},
                              "write Switchyard's own JSON, or a SimGrid platform");
    }
    GraphOf<boost::bidirectionalS> graph;
    graph[boost::graph_bundle] = {
        .name = fabric.name(),
        .source = fabric.source(),
        .calibrated = fabric.is_calibrated() ? "true" : "false",
        .path_policy = std::string(path_policy_name(fabric.path_policy())),
        .path_seed = std::to_string(fabric.path_seed())};
    for (const Device& device : fabric.devices()) {
      boost::add_vertex({.name = device.name,
                         .kind = std::string(device_kind_name(device.kind)),
                         .node = device.node.is_valid() ? std::to_string(device.node.value) : ""},
                        graph);
    }
    for (const Link& link : fabric.links()) {
      boost::add_edge(link.from.index(),
                      link.to.index(),
                      {.name = link.name,
                       .bandwidth = to_unit_string(link.bandwidth),
                       .latency = to_unit_string(link.latency),
                       .efficiency = fmt::format("{}", link.efficiency),
                       .cost = std::to_string(link.cost)},
                      graph);
    }
    std::ostringstream text;
    boost::write_graphml(text, graph, properties_of(graph), true);
    return text.str();
  }
};

const Register<TopologyFormat, Graphml> kGraphml{"graphml", "GraphML (read and write)"};

}  // namespace
}  // namespace switchyard

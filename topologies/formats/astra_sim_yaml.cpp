// The network file of ASTRA-sim's analytical back end: one entry per dimension, the first dimension
// being the innermost. Bandwidths are GB/s per link and direction, latencies ns per link.
//
//   topology: [ Switch, Ring ]     npu i has the coordinates (i % 8, i / 8);
//   npus_count: [ 8, 2 ]           along each dimension those of equal other coordinates form a
//   bandwidth: [ 400, 50 ]         ring, a full mesh or a star around a switch
//   latency: [ 936.25, 1000 ]
//
// ASTRA-sim lets npus pass traffic on; GPUs here do not, so each gets a router that does.
#include <algorithm>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "core/files/text_reader.hpp"
#include "topologies/building_blocks/fabric_builder.hpp"
#include "topologies/topology_format.hpp"

namespace switchyard {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20U;
constexpr std::size_t kMostDimensions = 8;
constexpr std::int64_t kMostNpus = 65536;

struct Dimension {
  std::string shape;
  std::int64_t size = 0;
  Cable cable;
};

class YamlReader {
 public:
  YamlReader(const std::string& text, Location where) : where_(std::move(where)) {
    try {
      root_ = YAML::Load(text);
    } catch (const YAML::Exception& error) {
      throw InvalidInput(fmt::format("not a YAML file: {}", error.msg), at(error.mark));
    }
    if (!root_.IsMap()) {
      throw InvalidInput("this is not an ASTRA-sim network file", where_);
    }
  }

  [[nodiscard]] std::vector<Dimension> dimensions() const {
    const std::size_t count = list("topology").size();
    std::vector<Dimension> dimensions(count);
    std::int64_t npus = 1;
    for (std::size_t i = 0; i < count; ++i) {
      Dimension& dimension = dimensions[i];
      dimension.shape = shape(list("topology")[i]);
      const double size = number("npus_count", i, count);
      if (size != static_cast<double>(static_cast<std::int64_t>(size)) || size < 1) {
        throw InvalidInput(fmt::format("{} npus in a dimension", size), where_);
      }
      dimension.size = static_cast<std::int64_t>(size);
      npus *= std::min(dimension.size, kMostNpus + 1);
      if (npus > kMostNpus) {
        throw InvalidInput(fmt::format("over {} npus are not a possible fabric", kMostNpus),
                           where_);
      }
      dimension.cable.bandwidth = BytesPerSecond{number("bandwidth", i, count) * 1e9};
      dimension.cable.latency = Seconds{number("latency", i, count) * 1e-9};
      if (dimension.cable.bandwidth.value <= 0) {
        throw InvalidInput("a dimension without bandwidth", where_);
      }
    }
    return dimensions;
  }

 private:
  [[nodiscard]] Location at(const YAML::Mark& mark) const {
    return mark.line < 0 ? where_ : where_.at_line(static_cast<std::size_t>(mark.line) + 1);
  }

  [[nodiscard]] YAML::Node list(const char* key) const {
    const YAML::Node node = root_[key];
    if (!node || !node.IsSequence() || node.size() == 0 || node.size() > kMostDimensions) {
      throw InvalidInput(
          fmt::format("\"{}\" is not a list of 1 to {} dimensions", key, kMostDimensions), where_);
    }
    return node;
  }

  [[nodiscard]] std::string shape(const YAML::Node& node) const {
    std::string text = node.IsScalar() ? node.Scalar() : "";
    if (text != "Ring" && text != "Switch" && text != "FullyConnected") {
      throw InvalidInput(fmt::format("the shape \"{}\" is unknown", text),
                         at(node.Mark()),
                         "known: Ring, FullyConnected, Switch");
    }
    return text;
  }

  [[nodiscard]] double number(const char* key, std::size_t index, std::size_t count) const {
    const YAML::Node all = list(key);
    if (all.size() != count) {
      throw InvalidInput(
          fmt::format("\"{}\" has {} entries for {} dimensions", key, all.size(), count),
          at(all.Mark()));
    }
    double value = 0;
    const bool is_number =
        all[index].IsScalar() && YAML::convert<double>::decode(all[index], value);
    if (!is_number || !(value >= 0 && value <= 1e9)) {
      throw InvalidInput(fmt::format("{} is \"{}\", not a number",
                                     key,
                                     all[index].IsScalar() ? all[index].Scalar() : "a list"),
                         at(all[index].Mark()),
                         "the file leaves a value open: write it in");
    }
    return value;
  }

  Location where_;
  YAML::Node root_;
};

class GridBuilder {
 public:
  explicit GridBuilder(std::vector<Dimension> dimensions) : dimensions_(std::move(dimensions)) {}

  Fabric::Parts build() {
    std::int64_t count = 1;
    double injection = 0;  // no less than all that leaves the router
    for (const Dimension& dimension : dimensions_) {
      count *= dimension.size;
      injection += dimension.cable.bandwidth.value *
                   static_cast<double>(dimension.shape == "FullyConnected" ? dimension.size : 2);
    }
    const std::int64_t node_size = dimensions_.front().size;
    for (std::int64_t i = 0; i < count; ++i) {
      builder_.add_device(fmt::format("gpu{}", i),
                          DeviceKind::Gpu,
                          NodeId{static_cast<std::size_t>(i / node_size)});
    }
    for (std::int64_t i = 0; i < count; ++i) {
      routers_.push_back(builder_.add_device(fmt::format("router{}", i), DeviceKind::Switch));
      builder_.connect(DeviceId{static_cast<std::size_t>(i)},
                       routers_.back(),
                       {.bandwidth = BytesPerSecond{injection}});
    }
    std::int64_t stride = 1;
    for (std::size_t axis = 0; axis < dimensions_.size(); ++axis) {
      for (std::int64_t i = 0; i < count; ++i) {
        if (i / stride % dimensions_[axis].size == 0) {
          join_row(axis, i, stride);
        }
      }
      stride *= dimensions_[axis].size;
    }
    return builder_.take();
  }

 private:
  // The npus from `first` on in steps of `stride`.
  void join_row(std::size_t axis, std::int64_t first, std::int64_t stride) {
    const Dimension& dimension = dimensions_[axis];
    const auto router = [&](std::int64_t position) {
      return routers_[static_cast<std::size_t>(first + position * stride)];
    };
    if (dimension.shape == "Switch") {
      const DeviceId hub =
          builder_.add_device(fmt::format("dimension{}.switch{}", axis, first), DeviceKind::Switch);
      for (std::int64_t i = 0; i < dimension.size; ++i) {
        builder_.connect(router(i), hub, dimension.cable);
      }
      return;
    }
    const bool is_ring = dimension.shape == "Ring";
    for (std::int64_t i = 0; i < dimension.size; ++i) {
      const std::int64_t last = is_ring ? std::min(i + 2, dimension.size) : dimension.size;
      for (std::int64_t j = i + 1; j < last; ++j) {
        builder_.connect(router(i), router(j), dimension.cable);
      }
    }
    if (is_ring && dimension.size > 2) {
      builder_.connect(router(dimension.size - 1), router(0), dimension.cable);
    }
  }

  std::vector<Dimension> dimensions_;
  FabricBuilder builder_;
  std::vector<DeviceId> routers_;
};

// What an equal star would have to look like to the first rank: rate and latency of one link.
struct StarLink {
  double bandwidth = 0;  // of the tightest link on the way
  double latency = 0;    // half of the way's
};

StarLink star_link(const Fabric& fabric, std::size_t source, std::size_t target) {
  const RouteTable& routes = fabric.routes(fabric.rank_count());
  StarLink star{.bandwidth = 0, .latency = routes.latency(source, target).count() / 2};
  for (const Hop& hop : routes.hops(source, target)) {
    const double rate = fabric.links()[hop.link.index()].effective_bandwidth().value;
    star.bandwidth = star.bandwidth == 0 ? rate : std::min(star.bandwidth, rate);
  }
  return star;
}

// The star that every rank sees towards the rank `step` further on; refuses if they differ.
StarLink common_star(const Fabric& fabric, std::size_t step, std::size_t group) {
  const StarLink first = star_link(fabric, 0, step);
  for (std::size_t rank = 0; rank < fabric.rank_count(); ++rank) {
    const std::size_t begin = rank / group * group;
    const std::size_t target = begin + (rank - begin + step) % group;
    if (star_link(fabric, rank, target).bandwidth != first.bandwidth) {
      throw MissingCapability(
          fmt::format("ASTRA-sim's file takes one rate per dimension, but that from rank {} to {} "
                      "differs from the others'",
                      rank,
                      target),
          {},
          "write GraphML or a SimGrid platform instead");
    }
  }
  return first;
}

class AstraSimYaml final : public TopologyFormat {
 public:
  explicit AstraSimYaml(Parameters& /*parameters*/) {}

  [[nodiscard]] bool can_read() const override { return true; }

  [[nodiscard]] bool can_write() const override { return true; }

  [[nodiscard]] bool recognises(const std::filesystem::path& path) const override {
    const std::string text = beginning_of(path);
    return text.find("npus_count:") != std::string::npos &&
           text.find("topology:") != std::string::npos;
  }

  [[nodiscard]] Fabric read(const std::filesystem::path& path) const override {
    const Location where{path.string(), ""};
    const YamlReader reader(read_text_file(path, kLargestFile), where);
    Fabric::Parts parts = GridBuilder(reader.dimensions()).build();
    parts.name = path.filename().string();
    parts.source = fmt::format("read from {}, an ASTRA-sim network file", parts.name);
    return Fabric(std::move(parts), where);
  }

  [[nodiscard]] std::string write(const Fabric& fabric) const override {
    const std::size_t ranks = fabric.rank_count();
    const std::size_t node_size = ranks / fabric.node_count();
    for (std::size_t node = 0; node < fabric.node_count(); ++node) {
      if (fabric.ranks_of(NodeId{node}).size() != node_size ||
          fabric.ranks_of(NodeId{node}).front() != RankId{node * node_size}) {
        throw MissingCapability("ASTRA-sim's file takes equal nodes of consecutive ranks only");
      }
    }
    std::vector<std::pair<std::size_t, StarLink>> dimensions;
    if (node_size > 1) {
      dimensions.emplace_back(node_size, common_star(fabric, 1, node_size));
    }
    if (fabric.node_count() > 1) {
      dimensions.emplace_back(fabric.node_count(), common_star(fabric, node_size, ranks));
    }
    return text_of(fabric, dimensions);
  }

 private:
  static std::string text_of(const Fabric& fabric,
                             const std::vector<std::pair<std::size_t, StarLink>>& dimensions) {
    std::string shapes;
    std::string counts;
    std::string bandwidths;
    std::string latencies;
    for (const auto& [count, star] : dimensions) {
      const char* comma = shapes.empty() ? " " : ", ";
      shapes += fmt::format("{}Switch", comma);
      counts += fmt::format("{}{}", comma, count);
      bandwidths += fmt::format("{}{}", comma, star.bandwidth / 1e9);
      latencies += fmt::format("{}{:.6g}", comma, star.latency * 1e9);
    }
    return fmt::format(
        "# {}\n"
        "# Simplified: each dimension is one switch without limit of its own, so oversubscription\n"
        "# and the layers of leaf and spine are lost.\n"
        "topology: [{} ]\nnpus_count: [{} ]\nbandwidth: [{} ]  # GB/s\nlatency: [{} ]  # ns\n",
        fabric.name(),
        shapes,
        counts,
        bandwidths,
        latencies);
  }
};

const Register<TopologyFormat, AstraSimYaml> kAstraSimYaml{
    "astra_sim_yaml", "network file of ASTRA-sim's analytical back end (read and write)"};

}  // namespace
}  // namespace switchyard

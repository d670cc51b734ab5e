#include "sim/replay/calibrated_exchange.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

enum class PortClass { ScaleUp, ScaleOut, Other };

/// A GPU's port to its node's switch or a peer; a NIC's port to the network; or neither (PCIe,
/// links between switches, host memory).
PortClass port_class(const Link& link, std::span<const Device> devices) {
  const DeviceKind from = devices[link.from.index()].kind;
  const DeviceKind to = devices[link.to.index()].kind;
  const auto joins = [&](DeviceKind a, DeviceKind b) {
    return (from == a && to == b) || (from == b && to == a);
  };
  if (joins(DeviceKind::Gpu, DeviceKind::Switch) || joins(DeviceKind::Gpu, DeviceKind::Gpu)) {
    return PortClass::ScaleUp;
  }
  return joins(DeviceKind::Nic, DeviceKind::Switch) ? PortClass::ScaleOut : PortClass::Other;
}

std::int64_t row_sum(const Matrix<std::int64_t>& matrix, std::size_t row) {
  std::int64_t sum = 0;
  for (std::size_t column = 0; column < matrix.columns(); ++column) {
    sum += matrix(row, column);
  }
  return sum;
}

void add_port_features(const Fabric& fabric, const Schedule& schedule, ExchangeFeatures& features) {
  const LinkLoads loads = link_loads(fabric, schedule, {});
  const std::span<const Link> links = fabric.links();
  for (std::size_t i = 0; i < links.size(); ++i) {
    const PortClass port = port_class(links[i], fabric.devices());
    if (port == PortClass::Other || loads.bytes[i] <= 0) {
      continue;
    }
    const bool up = port == PortClass::ScaleUp;
    double& bytes = up ? features.scale_up_bytes : features.scale_out_bytes;
    double& rate = up ? features.scale_up_link_rate : features.scale_out_link_rate;
    bytes = std::max(bytes, loads.bytes[i]);
    const double own = links[i].effective_bandwidth().value;
    rate = rate > 0 ? std::min(rate, own) : own;
  }
}

}  // namespace

ExchangeFeatures exchange_features(const Fabric& fabric,
                                   const AllToAll& algorithm,
                                   const Exchange& exchange,
                                   const Schedule& schedule,
                                   const ExchangeContext& context) {
  ExchangeFeatures features{.ranks = static_cast<double>(schedule.rank_count),
                            .experts = context.experts,
                            .sms = context.sms};
  const std::set<std::int32_t> nodes(exchange.node_of_rank.begin(), exchange.node_of_rank.end());
  features.nodes = static_cast<double>(nodes.size());
  add_port_features(fabric, schedule, features);
  const bool has_unique_copies = !exchange.rank_bytes.values().empty();
  const bool per_copy = algorithm.deduplication() == Deduplication::None || !has_unique_copies;
  const Matrix<std::int64_t>& moved = per_copy ? exchange.copy_bytes : exchange.rank_bytes;
  const bool casts_once =
      per_copy && exchange.direction == Direction::Dispatch && !exchange.token_bytes.empty();
  for (std::size_t rank = 0; rank < moved.rows(); ++rank) {
    const std::int64_t staged = casts_once ? exchange.token_bytes[rank] : row_sum(moved, rank);
    features.staged_bytes = std::max(features.staged_bytes, static_cast<double>(staged));
    for (std::size_t peer = 0; peer < moved.columns(); ++peer) {
      if (peer != rank) {
        features.peer_bytes = std::max(features.peer_bytes, static_cast<double>(moved(rank, peer)));
      }
    }
  }
  if (!exchange.token_bytes.empty()) {
    features.token_bytes = static_cast<double>(std::ranges::max(exchange.token_bytes));
  }
  const RouteTable& routes = fabric.routes(schedule.rank_count);
  for (std::size_t i = 0; i < schedule.transfer_count(); ++i) {
    features.latency_s = std::max(features.latency_s,
                                  routes
                                      .latency(static_cast<std::size_t>(schedule.source[i]),
                                               static_cast<std::size_t>(schedule.destination[i]))
                                      .count());
  }
  return features;
}

NetworkOptions calibrated_options(const NetworkOptions& options,
                                  const ModelConstants& constants,
                                  const ExchangeFeatures& features,
                                  const Fabric& fabric) {
  const ExchangeTerms terms = exchange_terms(constants, features);
  NetworkOptions calibrated = options;
  calibrated.start_up = Seconds{options.start_up.count() + terms.start_up_s};
  calibrated.start_up_overlap = terms.overlap;
  for (const Link& link : fabric.links()) {
    const PortClass port = port_class(link, fabric.devices());
    const double rate = port == PortClass::ScaleUp    ? terms.scale_up_rate
                        : port == PortClass::ScaleOut ? terms.scale_out_rate
                                                      : 0;
    if (rate > 0) {
      calibrated.link_changes.push_back(
          {.link = link.name, .bandwidth_factor = rate / link.effective_bandwidth().value});
    }
  }
  return calibrated;
}

std::string algorithm_key(const nlohmann::json& section) {
  return section.value("name", "") +
         (section.value("once_per_rank", false) ? " once_per_rank" : "");
}

std::string other_algorithm(const CalibrationEntry& entry,
                            const std::string& resolved_scenario,
                            Direction direction) {
  const char* name = direction == Direction::Dispatch ? "dispatch" : "combine";
  const auto document = nlohmann::json::parse(resolved_scenario, nullptr, false);
  if (entry.algorithm.empty() || !document.is_object() || !document.contains("all_to_all")) {
    return "";
  }
  const std::string used =
      algorithm_key(document["all_to_all"].value(name, nlohmann::json::object()));
  return used == entry.algorithm ? ""
                                 : fmt::format("{} by {} (fitted {})", name, used, entry.algorithm);
}

}  // namespace switchyard

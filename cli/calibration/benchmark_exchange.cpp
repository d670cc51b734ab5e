#include "cli/calibration/benchmark_exchange.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "profiler/measurements/byte_definitions.hpp"
#include "sim/exchange/matrix_files.hpp"
#include "sim/replay/component_section.hpp"

namespace switchyard {
namespace {

// Random routing of this many tokens a rank is as even as of any more; longer batches are scaled.
constexpr std::int64_t kMostRouted = 1024;
constexpr int kForwardedChunks = 8;  // DeepEP forwards in far smaller ones: no visible fill

nlohmann::json algorithm_section(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::AllToAll:
      break;
    case ExchangeKind::LowLatencyDispatch:
    case ExchangeKind::LowLatencyCombine:
      return "low_latency_direct";
    case ExchangeKind::NormalDispatch:
    case ExchangeKind::NormalCombine:
      return {{"name", "node_dedup"}, {"chunks", kForwardedChunks}};
    case ExchangeKind::NvlinkDispatch:
    case ExchangeKind::NvlinkCombine:
      return {{"name", "direct"}, {"once_per_rank", true}};
  }
  return "direct";
}

void scale(Matrix<std::int64_t>& matrix, double factor) {
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::int64_t& bytes : matrix.row(row)) {
      bytes = std::llround(static_cast<double>(bytes) * factor);
    }
  }
}

std::int64_t routed_tokens(const Measurement& row) {
  return std::min(row.tokens, kMostRouted);
}

}  // namespace

std::string benchmark_algorithm(ExchangeKind kind) {
  nlohmann::json section = algorithm_section(kind);
  build_component<AllToAll>(section, "all-to-all algorithm", {});
  return algorithm_key(section);
}

double sms_of(const Measurement& row) {
  if (row.sms > 0) {
    return static_cast<double>(row.sms);
  }
  const bool low_latency =
      row.kind == ExchangeKind::LowLatencyDispatch || row.kind == ExchangeKind::LowLatencyCombine;
  return low_latency ? low_latency_sms(static_cast<double>(row.experts)) : 0;
}

BenchmarkBuilder::BenchmarkBuilder(std::shared_ptr<const Fabric> fabric, std::uint64_t seed)
    : fabric_(std::move(fabric)), seed_(seed) {}

void BenchmarkBuilder::check_fits(const Measurement& row) const {
  const auto ranks = static_cast<std::size_t>(row.ranks);
  if (ranks > fabric_->rank_count()) {
    throw InvalidInput(fmt::format("{} ranks do not fit on the {} GPUs of {}",
                                   ranks,
                                   fabric_->rank_count(),
                                   fabric_->name()),
                       row.where,
                       "choose a larger topology, or leave the row out with --select");
  }
  std::set<std::int32_t> nodes;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    nodes.insert(fabric_->node_of(RankId{rank}).value);
  }
  if (nodes.size() != static_cast<std::size_t>(row.nodes)) {
    throw InvalidInput(fmt::format("measured on {} nodes, but the first {} GPUs of {} are on {}",
                                   row.nodes,
                                   ranks,
                                   fabric_->name(),
                                   nodes.size()),
                       row.where,
                       "choose a topology with the same servers");
  }
}

const TrafficMatrix& BenchmarkBuilder::traffic_of(const Measurement& row) {
  const RoutingShape shape{
      .tokens = routed_tokens(row), .top_k = row.top_k, .experts = row.experts, .nodes = row.nodes};
  const std::string key = fmt::format("{} {} {} {} {} {}",
                                      benchmark_routing_name(row.routing),
                                      shape.tokens,
                                      shape.top_k,
                                      shape.experts,
                                      shape.nodes,
                                      row.ranks);
  const auto found = traffic_.find(key);
  if (found != traffic_.end()) {
    return found->second;
  }
  const auto ranks = static_cast<std::size_t>(row.ranks);
  const auto experts = static_cast<std::size_t>(row.experts);
  LayerPlacement placement;
  for (std::size_t expert = 0; expert < experts; ++expert) {
    placement.slot_to_expert.push_back(static_cast<std::int32_t>(expert));
    placement.slot_to_rank.push_back(static_cast<std::int32_t>(expert / (experts / ranks)));
  }
  const ExpertRanks holders(placement, experts, *fabric_, ranks);
  TrafficCounter counter(holders, *fabric_, ranks, experts);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const Matrix<std::int32_t> ids = benchmark_expert_ids(row.routing, shape, seed_, rank);
    counter.add(ids, std::vector<std::int32_t>(ids.rows(), static_cast<std::int32_t>(rank)));
  }
  return traffic_.emplace(key, counter.take()).first->second;
}

Exchange BenchmarkBuilder::exchange_of_row(const Measurement& row) {
  if (row.kind == ExchangeKind::AllToAll) {
    const auto ranks = static_cast<std::size_t>(row.ranks);
    return exchange_of_matrix(Matrix<std::int64_t>(ranks, ranks, row.message_bytes / row.ranks),
                              *fabric_);
  }
  const std::int64_t bytes = token_bytes(row);
  const Direction direction = is_combine(row.kind) ? Direction::Combine : Direction::Dispatch;
  Exchange exchange =
      exchange_of(traffic_of(row), {.dispatch = bytes, .combine = bytes}, direction, *fabric_);
  const double factor = static_cast<double>(row.tokens) / static_cast<double>(routed_tokens(row));
  if (factor != 1) {
    scale(exchange.copy_bytes, factor);
    scale(exchange.rank_bytes, factor);
    scale(exchange.node_bytes, factor);
    for (std::int64_t& of_rank : exchange.token_bytes) {
      of_rank = std::llround(static_cast<double>(of_rank) * factor);
    }
  }
  return exchange;
}

BenchmarkExchange BenchmarkBuilder::build(const Measurement& row) {
  check_fits(row);
  nlohmann::json section = algorithm_section(row.kind);
  const auto algorithm = build_component<AllToAll>(section, "all-to-all algorithm", {});
  const Exchange exchange = exchange_of_row(row);
  BenchmarkExchange built{.schedule = algorithm->schedule(exchange), .features = {}};
  built.features =
      exchange_features(*fabric_,
                        *algorithm,
                        exchange,
                        built.schedule,
                        {.experts = static_cast<double>(row.experts), .sms = sms_of(row)});
  return built;
}

double BenchmarkBuilder::simulate(const BenchmarkExchange& exchange,
                                  const ModelConstants& constants,
                                  const Network& network) const {
  const NetworkOptions options = calibrated_options({}, constants, exchange.features, *fabric_);
  return network.simulate(*fabric_, exchange.schedule, options).makespan_s;
}

}  // namespace switchyard

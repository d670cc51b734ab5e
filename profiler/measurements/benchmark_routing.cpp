#include "profiler/measurements/benchmark_routing.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

constexpr std::uint64_t kPurpose = 0x62656e6368ULL;  // keeps these numbers apart
constexpr std::int64_t kMostGroups = 4;
constexpr std::int64_t kSpreadTokens = 4096;

void check_shape(const RoutingShape& shape) {
  if (shape.tokens < 0 || shape.top_k < 1 || shape.experts < shape.top_k || shape.nodes < 1) {
    throw InvalidInput(fmt::format("cannot route {} tokens to {} of {} experts on {} nodes",
                                   shape.tokens,
                                   shape.top_k,
                                   shape.experts,
                                   shape.nodes));
  }
}

/// Marks the experts of all but the best `kMostGroups` nodes with a score below every other.
void mask_groups(const RoutingShape& shape, std::vector<double>& scores) {
  if (shape.nodes <= kMostGroups) {
    return;
  }
  const auto per_node = static_cast<std::ptrdiff_t>(shape.experts / shape.nodes);
  std::vector<std::pair<double, std::int64_t>> best;
  for (std::int64_t node = 0; node < shape.nodes; ++node) {
    const auto first = scores.begin() + node * per_node;
    best.emplace_back(*std::max_element(first, first + per_node), node);
  }
  std::sort(best.begin(), best.end(), std::greater<>());
  for (std::size_t i = kMostGroups; i < best.size(); ++i) {
    std::fill_n(scores.begin() + best[i].second * per_node, per_node, -1.0);
  }
}

Matrix<std::int32_t> balanced_ids(const RoutingShape& shape) {
  Matrix<std::int32_t> ids(static_cast<std::size_t>(shape.tokens),
                           static_cast<std::size_t>(shape.top_k));
  const std::int64_t stride = (shape.experts + shape.top_k - 1) / shape.top_k;
  for (std::int64_t token = 0; token < shape.tokens; ++token) {
    // Few tokens are spread over the stride, so that they do not all fall on the first rank.
    const std::int64_t offset = shape.tokens >= stride ? token : token * stride / shape.tokens;
    for (std::int64_t choice = 0; choice < shape.top_k; ++choice) {
      ids(static_cast<std::size_t>(token), static_cast<std::size_t>(choice)) =
          static_cast<std::int32_t>((offset + choice * stride) % shape.experts);
    }
  }
  return ids;
}

}  // namespace

std::string_view benchmark_routing_name(BenchmarkRouting routing) {
  switch (routing) {
    case BenchmarkRouting::Uniform:
      return "uniform";
    case BenchmarkRouting::Random:
      return "random";
    case BenchmarkRouting::GroupLimited:
      return "group_limited";
    case BenchmarkRouting::Balanced:
      return "balanced";
  }
  throw InternalError("a benchmark routing without a name");
}

Matrix<std::int32_t> benchmark_expert_ids(BenchmarkRouting routing,
                                          const RoutingShape& shape,
                                          std::uint64_t seed,
                                          std::uint64_t rank) {
  check_shape(shape);
  if (routing == BenchmarkRouting::Uniform) {
    throw InvalidInput("a uniform all-to-all has no tokens to route");
  }
  if (routing == BenchmarkRouting::Balanced) {
    return balanced_ids(shape);
  }
  RandomStream random(seed, {kPurpose, rank});
  Matrix<std::int32_t> ids(static_cast<std::size_t>(shape.tokens),
                           static_cast<std::size_t>(shape.top_k));
  std::vector<double> scores(static_cast<std::size_t>(shape.experts));
  std::vector<std::int32_t> order(scores.size());
  for (std::size_t token = 0; token < ids.rows(); ++token) {
    std::ranges::generate(scores, [&] { return random.uniform(); });
    if (routing == BenchmarkRouting::GroupLimited) {
      mask_groups(shape, scores);
    }
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(),
                      order.begin() + shape.top_k,
                      order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                        return scores[static_cast<std::size_t>(a)] >
                               scores[static_cast<std::size_t>(b)];
                      });
    std::copy_n(order.begin(), shape.top_k, ids.row(token).begin());
  }
  return ids;
}

Spread mean_spread(BenchmarkRouting routing,
                   const RoutingShape& shape,
                   std::int64_t ranks,
                   std::uint64_t seed) {
  if (ranks < 1 || shape.experts % ranks != 0 || ranks % std::max<std::int64_t>(1, shape.nodes)) {
    throw InvalidInput(fmt::format("{} experts on {} ranks of {} nodes: wanted equal shares",
                                   shape.experts,
                                   ranks,
                                   shape.nodes));
  }
  RoutingShape sample = shape;
  sample.tokens = std::clamp<std::int64_t>(shape.tokens, 1, kSpreadTokens);
  const Matrix<std::int32_t> ids = benchmark_expert_ids(routing, sample, seed, 0);
  Spread total;
  for (std::size_t token = 0; token < ids.rows(); ++token) {
    std::set<std::int64_t> to_ranks;
    std::set<std::int64_t> to_nodes;
    for (const std::int32_t expert : ids.row(token)) {
      const std::int64_t rank = expert / (shape.experts / ranks);
      to_ranks.insert(rank);
      to_nodes.insert(rank / (ranks / shape.nodes));
    }
    total.ranks += static_cast<double>(to_ranks.size());
    total.nodes += static_cast<double>(to_nodes.size());
  }
  const auto count = static_cast<double>(ids.rows());
  return {.ranks = total.ranks / count, .nodes = total.nodes / count};
}

}  // namespace switchyard

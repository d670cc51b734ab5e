#include "kernels/hidden/clustered_gate.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/device/dispatch_layout_on_device.hpp"
#include "kernels/device/token_count.hpp"
#include "kernels/hidden/cluster_statistics_launch.hpp"
#include "kernels/hidden/device_steps.hpp"
#include "kernels/hidden/ordered_projection_launch.hpp"

namespace switchyard {
namespace {

/// Device memory of a chunk of tokens.
struct DeviceTokens {
  const float* hidden;         // [tokens, width]
  const std::int32_t* labels;  // [tokens]; null without clusters
  std::int32_t tokens;
  std::int32_t width;
};

/// Cluster weights in device memory; the tokens sorted by cluster as well.
class ClusterWeights {
 public:
  ClusterWeights(DeviceArena& arena, const DeviceTokens& tokens, std::size_t clusters)
      : arena_(arena),
        tokens_(tokens),
        ranks_(clusters),
        layout_(arena.device(),
                {.expert_ids = {nullptr, static_cast<std::size_t>(tokens.tokens), 1},
                 .expert_to_rank = ranks_,
                 .ranks = 1}) {}

  /// [clusters, width]; five launches.
  const float* measure(const ClusterWeightOptions& options) {
    constexpr std::int32_t kMostPieces = 64;
    layout_.launch(tokens_.labels);
    const auto clusters = static_cast<std::int32_t>(ranks_.size());
    const std::int32_t tiles = cluster_tiles(tokens_.width);
    const auto width = static_cast<std::size_t>(tokens_.width);
    const std::size_t sums = ranks_.size() * static_cast<std::size_t>(tiles);
    ClusterArguments arguments;
    arguments.hidden = tokens_.hidden;
    arguments.offsets = layout_.arguments().offsets;
    arguments.sources = layout_.arguments().sources;
    arguments.partials = arena_.reserve<float>(
        static_cast<std::size_t>(tokens_.tokens / kClusterPiece + clusters + 1) * width);
    arguments.means = arena_.reserve<float>(ranks_.size() * width);
    arguments.weights = arena_.reserve<float>(ranks_.size() * width);
    arguments.tile_sums = arena_.reserve<float>(sums);
    arguments.arrivals = arena_.zeros<std::uint32_t>(sums);
    arguments.width = tokens_.width;
    arguments.clusters = clusters;
    // Twice the pieces of an average cluster: larger ones take more than one round.
    arguments.rounds_of_blocks =
        std::clamp(2 * cluster_pieces(tokens_.tokens) / clusters, 1, kMostPieces);
    arguments.used_clusters = static_cast<std::int32_t>(options.used_clusters);
    arguments.is_compatible = options.is_compatible;
    arguments.is_language = options.normalisation == ClusterNormalisation::Language;
    const std::int32_t blocks = tiles * arguments.rounds_of_blocks * clusters;
    KernelDevice& device = arena_.device();
    device.launch("switchyard_cluster_means", blocks, kClusterTile, arguments);
    device.launch("switchyard_cluster_deviations", blocks, kClusterTile, arguments);
    device.launch("switchyard_cluster_normalise", tiles, kClusterTile, arguments);
    return arguments.weights;
  }

 private:
  DeviceArena& arena_;
  DeviceTokens tokens_;
  std::vector<std::int32_t> ranks_;  // all 0: the layout is used for its order only
  DeviceLayout layout_;
};

/// [tokens, experts]; one launch.
float* make_logits(DeviceArena& arena, std::string_view kernel, ProjectionArguments arguments) {
  arguments.logits = arena.reserve<float>(static_cast<std::size_t>(arguments.tokens) *
                                          static_cast<std::size_t>(arguments.experts));
  arguments.token_blocks = blocks_of(arguments.tokens, kProjectWarps * kProjectTokens);
  arena.device().launch(kernel,
                        arguments.token_blocks * blocks_of(arguments.experts, kProjectExperts),
                        kProjectWarps * 32,
                        arguments);
  return arguments.logits;
}

ProjectionArguments upload_rows(DeviceArena& arena,
                                MatrixView<const float> hidden,
                                MatrixView<const float> gate) {
  check_device_table(gate.rows(), gate.columns());
  check_device_table(hidden.rows(), gate.rows());
  ProjectionArguments arguments;
  arguments.hidden = arena.upload(hidden.values());
  arguments.gate = arena.upload(gate.values());
  arguments.tokens = device_token_count(hidden.rows());
  arguments.experts = static_cast<std::int32_t>(gate.rows());
  arguments.width = static_cast<std::int32_t>(gate.columns());
  return arguments;
}

}  // namespace

RoutingDecision route_clustered_on_device(const ClusteredGate& request) {
  const std::size_t tokens = request.hidden.rows();
  DeviceArena arena(current_device());
  if (tokens == 0) {
    return RoutingDecision::empty(0, request.slots);
  }
  ProjectionArguments arguments = upload_rows(arena, request.hidden, request.gate);
  std::string_view kernel = "switchyard_project_plain";
  std::optional<ClusterWeights> weights;
  if (request.before != nullptr) {
    arguments.labels = arena.upload(request.labels);
    weights.emplace(
        arena,
        DeviceTokens{arguments.hidden, arguments.labels, arguments.tokens, arguments.width},
        request.gate.rows());
    arguments.weights = weights->measure(request.weights);
    kernel = "switchyard_project_weighed";
  }
  if (request.before != nullptr && request.mixes) {
    arguments.labels = arena.upload(request.before->expert_ids.values());
    arguments.shares = arena.upload(request.before->weights.values());
    arguments.slots = static_cast<std::int32_t>(request.before->expert_ids.columns());
    kernel = "switchyard_project_mixed";
  }
  float* const logits = make_logits(arena, kernel, arguments);
  if (request.replaces_non_finite) {
    arena.device().launch("switchyard_replace_non_finite",
                          blocks_of(arguments.tokens, kProjectWarps),
                          kProjectWarps * 32,
                          FiniteArguments{logits, arguments.tokens, arguments.experts});
  }
  const DeviceChoices choices =
      choose_best(arena, {logits, arguments.tokens, arguments.experts}, request.slots, true);
  return download_choices(arena, choices, tokens, request.slots);
}

Matrix<float> cluster_weights_on_device(MatrixView<const float> hidden,
                                        std::span<const std::int32_t> labels,
                                        std::size_t clusters,
                                        const ClusterWeightOptions& options) {
  DeviceArena arena(current_device());
  Matrix<float> result(clusters, hidden.columns(), 1.0F);
  if (!hidden.empty()) {
    check_device_table(clusters, hidden.columns());
    ClusterWeights weights(arena,
                           {arena.upload(hidden.values()),
                            arena.upload(labels),
                            device_token_count(hidden.rows()),
                            static_cast<std::int32_t>(hidden.columns())},
                           clusters);
    arena.download(weights.measure(options), result.values());
  }
  return result;
}

Matrix<float> segment_means_on_device(MatrixView<const float> hidden,
                                      std::span<const std::int32_t> starts) {
  DeviceArena arena(current_device());
  const std::size_t segments = starts.size() - 1;
  Matrix<float> means(segments, hidden.columns());
  if (means.empty()) {
    return means;
  }
  check_device_table(hidden.rows(), 1);
  check_device_table(segments, hidden.columns());
  std::vector<std::int32_t> tokens(hidden.rows());
  std::iota(tokens.begin(), tokens.end(), 0);
  ClusterArguments arguments;
  arguments.hidden = arena.upload(hidden.values());
  arguments.offsets = arena.upload(starts);
  arguments.sources = arena.upload(std::span<const std::int32_t>(tokens));
  arguments.width = static_cast<std::int32_t>(hidden.columns());
  arguments.clusters = static_cast<std::int32_t>(segments);
  const std::int32_t tiles = cluster_tiles(arguments.width);
  arguments.partials =
      arena.reserve<float>((hidden.rows() / kClusterPiece + segments + 1) * hidden.columns());
  arguments.means = arena.reserve<float>(means.values().size());
  arguments.arrivals = arena.zeros<std::uint32_t>(segments * static_cast<std::size_t>(tiles));
  arena.device().launch(
      "switchyard_cluster_means", tiles * arguments.clusters, kClusterTile, arguments);
  arena.download(arguments.means, means.values());
  return means;
}

Matrix<float> project_on_device(MatrixView<const float> hidden, MatrixView<const float> gate) {
  DeviceArena arena(current_device());
  Matrix<float> logits(hidden.rows(), gate.rows());
  if (!logits.empty()) {
    arena.download(make_logits(arena, "switchyard_project_plain", upload_rows(arena, hidden, gate)),
                   logits.values());
  }
  return logits;
}

}  // namespace switchyard

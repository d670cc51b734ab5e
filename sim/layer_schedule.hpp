// Layer schedules: what happens in one MoE layer, as stages one after another. One .cpp in
// sim/layer_schedule/ each; no time in it: networks and devices price the stages, and an overlap
// (sim/overlap.hpp) says which of them may run at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/components/registry.hpp"
#include "core/matrix.hpp"
#include "sim/all_to_all.hpp"
#include "sim/exchange/traffic.hpp"
#include "sim/model.hpp"
#include "sim/parallel_groups.hpp"
#include "topologies/fabric.hpp"

namespace switchyard {

/// What a stage occupies: the first three the network, the others the rank's own compute.
enum class StageKind { Dispatch, Combine, Collective, Experts, SharedExperts, OtherWork };

inline bool is_communication(StageKind kind) {
  return kind <= StageKind::Collective;
}

/// One thing that every rank does: a collective of all ranks, or work of each on its own.
struct Stage {
  std::string name;
  StageKind kind = StageKind::OtherWork;
  Schedule schedule;  // of communication
  /// Of an exchange of tokens: what is sent, and the algorithm that made the schedule of it.
  std::optional<Exchange> exchange;
  const AllToAll* algorithm = nullptr;
  /// Of work: what each rank has to do for a share of its tokens, [ranks].
  std::function<std::vector<RankWork>(const Share&)> work;
};

/// What a schedule works from. Matrices are of the tokens as LayerSchedule::tokens() asks.
struct LayerContext {
  const TrafficMatrix& traffic;  // from where the tokens are, to experts
  const TrafficMatrix& results;  // from where the results are wanted, to experts
  const Fabric& fabric;
  const ModelCost& model;
  const ComputeDevice& device;
  const TokenBytes& token_bytes;
  const AllToAll& dispatch;
  const AllToAll& combine;
  const ParallelGroups& groups;
  std::int64_t shards = 1;     // parts into which the placement cuts every expert
  bool is_first_layer = true;  // of its step
  bool is_backward = false;
};

class LayerSchedule {
 public:
  LayerSchedule() = default;
  LayerSchedule(const LayerSchedule&) = delete;
  LayerSchedule& operator=(const LayerSchedule&) = delete;
  LayerSchedule(LayerSchedule&&) = delete;
  LayerSchedule& operator=(LayerSchedule&&) = delete;
  virtual ~LayerSchedule() = default;

  /// Placed: a rank computes the experts that the placement gives it. OwnTokens: every rank can
  /// compute every expert, for its own tokens. AllTokens: every rank computes a part of every row.
  enum class Computes { Placed, OwnTokens, AllTokens };

  [[nodiscard]] virtual Computes computes() const { return Computes::Placed; }

  /// True: tokens stay where their best expert of the layer before was (needs token ids).
  [[nodiscard]] virtual bool tokens_move() const { return false; }

  /// True: prices traces of routers that merge experts (Lory) instead of sending tokens.
  [[nodiscard]] virtual bool merges_experts() const { return false; }

  /// True: TrafficMatrix::unique_node_tokens shall count tensor-parallel groups, not nodes.
  [[nodiscard]] virtual bool counts_tensor_groups() const { return false; }

  /// The exchanges and expert work of one layer in forward order or, if context.is_backward, of its
  /// gradients. Throws MissingCapability for what the trace does not say, InvalidInput for sizes
  /// that do not fit.
  [[nodiscard]] virtual std::vector<Stage> stages(const LayerContext& context) const = 0;
};

extern template class Registry<LayerSchedule>;

/// An exchange of `traffic` by the scenario's algorithm. In a backward pass the gradient of a
/// combine travels as a dispatch, that of a dispatch as a combine, as DeepEP does it.
Stage exchange_stage(const LayerContext& context, Direction direction);
/// Experts over rows, [ranks or 1, experts]; one row of the matrix stands for every rank. Weights
/// are cut in `shards` along the inner width. A backward pass costs twice the forward.
Stage experts_stage(const LayerContext& context, Matrix<std::int64_t> rows, std::int64_t shards);
/// The experts where the placement has them: traffic.expert_rows, in the placement's shards,
/// zero-cost experts left out.
Stage routed_experts_stage(const LayerContext& context);
/// A collective with the name it has in a forward or backward pass.
Stage collective_stage(const LayerContext& context, const std::string& name, Schedule schedule);
/// Tokens that start on each rank, [ranks]. Throws MissingCapability if the trace does not say.
const std::vector<std::int64_t>& require_rank_tokens(const LayerContext& context,
                                                     const std::string& what);
/// bytes_each times each of `counts`.
std::vector<std::int64_t> times(const std::vector<std::int64_t>& counts, std::int64_t bytes_each);

/// Time per token and layer of what is not an expert.
struct OtherWork {
  Seconds attention{0};
  Seconds other{0};  // norms, router, permutation ...
};

/// What surrounds the experts, in forward order: tensor-parallel gather, attention, reduce-scatter,
/// other work, shared experts. Only what costs anything; `other` empty of tokens if unknown.
std::vector<Stage> surrounding_stages(const LayerContext& context, const OtherWork& other);

}  // namespace switchyard

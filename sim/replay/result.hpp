// The outcome of a simulation as plain values; report/ turns it into tables, JSON, SQLite and
// timelines. Field names follow docs/metrics.md, where each has its formula. SI units throughout.
// An empty optional means: the trace's fidelity does not allow this metric (see `notes`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/matrix.hpp"
#include "traces/metadata.hpp"

namespace switchyard {

/// What a rank is busy with; none of them overlaps itself within a rank.
enum class Lane { Wait, Dispatch, Compute, Combine, Collective };

/// What a phase would need more of to be faster: more rate of its busiest link, fewer or quicker
/// messages, arithmetic, memory rate, fewer kernels.
enum class Bound { Nothing, Link, Latency, Compute, Memory, Launch };

std::string_view lane_name(Lane lane);
std::string_view bound_name(Bound bound);

/// One phase of one layer: a collective of all ranks, or work of each on its own.
struct PhaseResult {
  std::string name;  // "dispatch", "experts", "tp_allgather" ...
  Lane lane = Lane::Compute;
  Bound bound = Bound::Nothing;
  std::int32_t bottleneck_link = -1;  // of a collective
  double time_s = 0;                  // makespan of a collective; work of the slowest rank
  double bytes = 0;                   // that a collective moves between ranks
  double start_s = 0;                 // of a collective, after its last rank was ready
  std::vector<double> ready_s;        // [ranks] from the replay's start; work starts then
  std::vector<double> finish_s;       // [ranks]
};

/// Exchanges of one kind (dispatches, combines, other collectives) of one layer.
struct ExchangeResult {
  double time_s = 0;         // sum over them, from the last rank's arrival to the last byte
  double lower_bound_s = 0;  // no network could be faster
  std::string mode;          // how the network computed it ("exact", "windowed", "closed form")
  double window_epsilon = 0;
  std::int32_t bottleneck_link = -1;  // LinkId, of the longest of them
  double bottleneck_utilisation = 0;  // its bytes over (rate x longest_s)
  double longest_s = 0;               // time of the longest
  double inter_node_bytes = 0;
  double intra_node_bytes = 0;
  std::int64_t transfers = 0;
};

/// One MoE layer of one step.
struct LayerResult {
  std::int64_t step = 0;
  std::int64_t layer = 0;
  std::optional<ExchangeResult> dispatch;
  std::optional<ExchangeResult> combine;
  std::optional<ExchangeResult> collective;  // of other kinds; absent if there are none
  double compute_s = 0;                      // work of the slowest rank
  std::optional<double> layer_s;             // dispatch + compute + combine on the slowest path
  std::optional<double> exposed_communication_s;
  std::optional<double> lower_bound_s;  // of all collectives
  double expert_imbalance = 1;          // max / mean rows per expert
  double rank_imbalance = 1;            // max / mean rows per rank
  std::int32_t busiest_expert = -1;
  std::int32_t busiest_rank = -1;
  std::int64_t pairs = 0;                   // (token, choice) pairs routed
  double dropped_fraction = 0;              // of pairs
  double rerouted_fraction = 0;             // of pairs
  double padded_fraction = 0;               // empty slots over all slots sent
  double lost_token_fraction = 0;           // of tokens: every choice dropped
  std::optional<double> dropped_gate_mass;  // share of the gate weights; empty without weights
  std::optional<double> wait_s;             // sum over ranks of waiting for the slowest
  std::int32_t straggler_rank = -1;         // last to finish the layer
  std::vector<std::int64_t> expert_rows;    // [experts]
  std::vector<std::int64_t> rank_rows;      // [ranks]
  std::vector<std::int64_t> rank_tokens;    // [ranks] that start there; empty if unknown
  std::vector<double> rank_start_s;         // [ranks] arrival at the layer, from the replay's start
  std::vector<double> rank_compute_s;       // [ranks]
  std::vector<PhaseResult> phases;          // in the order of issue, forward before backward
};

/// An exchange between copies of the expert-parallel group, once a step (a pipeline stage's
/// activations: once a micro-batch and stage).
struct StepExchange {
  std::string name;      // "dense_gradients", "expert_gradients", "pipeline"
  double time_s = 0;     // once
  double exposed_s = 0;  // in one step, after overlap
  double bytes = 0;      // between GPUs, once
  Bound bound = Bound::Nothing;
  std::int32_t bottleneck_link = -1;
};

/// Sums and extremes over all layers of all steps.
struct TotalResult {
  std::int64_t steps = 0;
  std::int64_t layers = 0;
  std::optional<double> dispatch_s;
  std::optional<double> combine_s;
  std::optional<double> collective_s;
  double compute_s = 0;
  std::optional<double> layer_s;  // all layers
  std::optional<double> step_s;   // one step, mean, with its step exchanges
  std::vector<StepExchange> step_exchanges;
  double pipeline_bubble = 0;  // share of the step in which a stage has nothing to do
  std::optional<double> exposed_communication_s;
  std::optional<double> lower_bound_s;
  double expert_imbalance = 1;  // worst layer
  double rank_imbalance = 1;    // worst layer
  double dropped_fraction = 0;
  double rerouted_fraction = 0;
  double padded_fraction = 0;
  double lost_token_fraction = 0;           // mean over layers
  std::optional<double> dropped_gate_mass;  // mean over the layers that have it
  std::optional<double> inter_node_bytes;
  std::optional<double> intra_node_bytes;
  std::optional<double> wait_s;
  std::int32_t straggler_rank = -1;   // most often last
  std::int32_t bottleneck_link = -1;  // most time as the busiest link
  std::size_t worst_layer = 0;        // index into layers, by layer_s (or rank imbalance at L0)
};

/// A change of placement before a step: expert weights copied from rank to rank.
struct MigrationResult {
  std::int64_t step = 0;    // the first step of the new placement
  std::int64_t copies = 0;  // of experts that moved
  double bytes = 0;
  double time_s = 0;  // with nothing else on the fabric
  double lower_bound_s = 0;
};

/// What placing experts anew gained over leaving them where they were first.
struct ReplacementResult {
  std::vector<MigrationResult> migrations;
  double migration_s = 0;      // sum
  double migration_bytes = 0;  // sum
  /// Mean step with the placements of the run, and with the initial one throughout; migrations
  /// left out. At L0, expert compute alone.
  std::optional<double> step_s;
  std::optional<double> initial_step_s;
  /// Steps a placement must hold before the time it saves covers a migration; empty if it saves
  /// nothing, or nothing moved.
  std::optional<double> break_even_steps;
};

/// What a calibration lets expect of the times of all dispatches, combines or ("any") both.
struct ExpectedError {
  std::string phase;        // "dispatch", "combine" or "any"
  std::string calibration;  // its file
  std::string model;
  std::string hardware;      // that was measured
  double median = 0;         // of |predicted / measured - 1|
  double p95 = 0;            // 95 % of the rows lie within
  std::int64_t rows = 0;     // that this comes from
  bool is_held_out = false;  // rows that the fit has not seen; else the fitted ones themselves
};

/// Name and load of a link over the whole run.
struct LinkResult {
  std::string name;
  double bandwidth = 0;     // bytes/s, effective
  double bytes = 0;         // over all exchanges
  double busy_s = 0;        // bytes / bandwidth
  double bottleneck_s = 0;  // time of the exchanges whose busiest link it was
};

struct SimulationResult {
  std::string scenario_json;  // fully resolved, canonical
  std::string scenario_hash;  // of it, 16 hex digits; names the run
  std::uint64_t seed = 0;
  Fidelity fidelity = Fidelity::Counts;
  std::string network;       // name
  std::string network_mode;  // worst mode used: "windowed" if any exchange was
  double window_epsilon = 0;
  std::string topology;  // fabric name
  bool is_calibrated = false;
  std::vector<ExpectedError> expected_errors;    // of a calibration's constants; empty without
  std::vector<std::string> outside_calibration;  // what of the run no row was fitted to
  std::size_t ranks = 0;
  std::size_t nodes = 0;
  std::size_t experts = 0;
  std::size_t top_k = 0;
  std::vector<LayerResult> layers;  // ascending (step, layer)
  TotalResult total;
  std::vector<LinkResult> links;                 // [links] of the fabric
  std::optional<ReplacementResult> replacement;  // set when the scenario places experts anew
  std::vector<std::string> notes;                // what was assumed or refused, for people
  bool is_partial = false;                       // interrupted: only `layers` were finished
};

}  // namespace switchyard

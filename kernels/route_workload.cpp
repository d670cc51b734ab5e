#include "kernels/route_workload.hpp"

#include <functional>
#include <optional>

#include "core/files/atomic_file.hpp"
#include "kernels/hidden/clustered_gate.hpp"
#include "kernels/hidden/tensor_projection.hpp"
#include "kernels/stages/gate_projection.hpp"
#include "kernels/stages/ordered_projection.hpp"
#include "kernels/stages/similarity.hpp"
#include "traces/files/trace_writer.hpp"

namespace switchyard {
namespace {

/// One layer's gate, packed for the fast projection; plain where that is not what is asked for, or
/// where the router wants to see it.
struct LayerGate {
  Matrix<float> plain;
  std::optional<GateProjection> packed;

  void project(ProjectionKind kind, MatrixView<const float> hidden, Matrix<float>& logits) const {
    switch (kind) {
      case ProjectionKind::Fast:
        packed->project(hidden, logits.view());
        return;
      case ProjectionKind::Ordered:
        project_in_order(hidden, plain.view(), logits.view());
        return;
      case ProjectionKind::OrderedOnDevice:
        logits = project_on_device(hidden, plain.view());
        return;
      case ProjectionKind::Bfloat16OnDevice:
        logits = project_in_bfloat16_on_device(hidden, plain.view());
        return;
    }
  }
};

/// The mean of those that are there.
std::optional<double> mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return values.empty() ? std::nullopt : std::optional(sum / static_cast<double>(values.size()));
}

template <class T>
void append(std::vector<T>& all, const std::vector<T>& part) {
  all.insert(all.end(), part.begin(), part.end());
}

/// Receives the columns of one chunk after the other.
using Sink = std::function<void(const TraceColumns&)>;

class Pipeline {
 public:
  explicit Pipeline(const RouteRequest& request)
      : request_(request), shape_(request.workload.shape()) {
    request.router.check_shape(shape_.experts, shape_.hidden);
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      throw_if_interrupted();
      LayerGate gate{.plain = request.workload.gate(layer), .packed = std::nullopt};
      if (const auto similarity = mean_pairwise_cosine(gate.plain.view())) {
        gate_similarities_.push_back(*similarity);
      }
      const bool is_fast = request.projection == ProjectionKind::Fast;
      if (makes_logits() && is_fast) {
        gate.packed.emplace(gate.plain.view());
      }
      if (is_fast && !request.router.needs_hidden()) {
        gate.plain = {};
      }
      gates_.push_back(std::move(gate));
    }
  }

  void run(const Sink& sink, const Progress& progress) {
    const std::size_t runs = shape_.steps * shape_.ranks;
    const std::size_t at_once = request_.router.routes_all_ranks_together() ? shape_.ranks : 1;
    for (std::size_t step = 0; step < shape_.steps; ++step) {
      for (std::size_t rank = 0; rank < shape_.ranks; rank += at_once) {
        if (progress) {
          progress("routing",
                   static_cast<double>(step * shape_.ranks + rank) / static_cast<double>(runs));
        }
        route_layers(gather_tokens(step, rank, rank + at_once), sink);
      }
    }
  }

  /// After run().
  [[nodiscard]] Similarities similarities() const {
    return {.gate = mean_of(gate_similarities_), .routed = mean_of(routed_similarities_)};
  }

  [[nodiscard]] std::size_t rows() const {
    std::size_t tokens = 0;
    for (std::size_t rank = 0; rank < shape_.ranks; ++rank) {
      tokens += request_.workload.token_count(rank);
    }
    return tokens * shape_.steps * shape_.layers * passes();
  }

  [[nodiscard]] std::size_t chunks() const {
    return shape_.steps * shape_.ranks * shape_.layers * passes();
  }

  [[nodiscard]] TraceMetadata metadata() const {
    const RouterCollective collective = request_.router.collective(shape_.experts, shape_.hidden);
    return {.model = {.hidden = static_cast<std::int64_t>(shape_.hidden),
                      .experts = static_cast<std::int64_t>(shape_.experts),
                      .top_k = static_cast<std::int64_t>(request_.router.top_k()),
                      .layers = static_cast<std::int64_t>(shape_.layers),
                      .dtype = request_.dtype,
                      .name = request_.model_name},
            .router = request_.router_name,
            .router_parameters = request_.router_parameters,
            .seed = request_.seed,
            .provenance = request_.workload.provenance(),
            .passes = static_cast<std::int64_t>(passes()),
            .merges_experts = request_.router.expert_use() == ExpertUse::Merged,
            .is_pre_gated = request_.router.decides_before_first_layer(),
            .router_allreduce_bytes = collective.bytes,
            .router_allreduce_first_layer = collective.first_layer,
            .gate_similarity = mean_of(gate_similarities_),
            .rank_assignment = {}};
  }

 private:
  [[nodiscard]] bool makes_logits() const {
    return request_.keeps_logits || request_.router.needs_logits();
  }

  [[nodiscard]] std::size_t passes() const { return request_.router.has_second_pass() ? 2 : 1; }

  /// The tokens of one step on the ranks that are routed at once.
  struct Tokens {
    std::size_t step = 0;
    std::size_t first_rank = 0;
    std::vector<std::size_t> starts = {0};  // [ranks + 1]
    WorkloadTokens carried = {};            // of all of them
  };

  [[nodiscard]] Tokens gather_tokens(std::size_t step,
                                     std::size_t first_rank,
                                     std::size_t last_rank) const {
    Tokens tokens{.step = step, .first_rank = first_rank};
    for (std::size_t rank = first_rank; rank < last_rank; ++rank) {
      const WorkloadTokens part = request_.workload.tokens(step, rank);
      append(tokens.carried.token_ids, part.token_ids);
      append(tokens.carried.sequence_ids, part.sequence_ids);
      append(tokens.carried.modality, part.modality);
      tokens.starts.push_back(tokens.starts.back() + request_.workload.token_count(rank));
    }
    return tokens;
  }

  /// Whether logits are made while hidden states are filled. Not where they are only recorded: the
  /// router may make its own, which takes all states.
  [[nodiscard]] bool projects_run_by_run() const {
    return request_.projection == ProjectionKind::Fast && request_.router.needs_logits();
  }

  /// Fills hidden_ and, if projects_run_by_run(), logits_: of each run while it is in the caches.
  void fill_hidden(const Tokens& tokens, std::size_t layer) {
    const LayerGate& gate = gates_[layer];
    for (std::size_t part = 0; part + 1 < tokens.starts.size(); ++part) {
      const std::size_t start = tokens.starts[part];
      request_.workload.fill_hidden(
          {.step = tokens.step, .layer = layer, .rank = tokens.first_rank + part},
          hidden_.view().part(start, tokens.starts[part + 1] - start),
          [&](std::size_t first, std::size_t count) {
            if (projects_run_by_run()) {
              gate.packed->project(hidden_.view().part(start + first, count),
                                   logits_.view().part(start + first, count));
            }
          });
    }
  }

  void route_layers(const Tokens& tokens, const Sink& sink) {
    const std::size_t count = tokens.starts.back();
    hidden_ = Matrix<float>(count, shape_.hidden);
    logits_ = Matrix<float>(makes_logits() ? count : 0, shape_.experts);
    RoutingDecision previous;
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      throw_if_interrupted();
      fill_hidden(tokens, layer);
      const LayerGate& gate = gates_[layer];
      make_logits(gate);
      RouterInput input{.logits = logits_.view(),
                        .previous_layer = layer == 0 ? nullptr : &previous,
                        .modality = tokens.carried.modality,
                        .token_ids = tokens.carried.token_ids,
                        .sequence_ids = tokens.carried.sequence_ids,
                        .step = static_cast<std::int64_t>(tokens.step),
                        .layer = static_cast<std::int64_t>(layer),
                        .source_rank = static_cast<std::int64_t>(tokens.first_rank),
                        .seed = request_.seed};
      if (request_.router.needs_hidden()) {
        input.hidden = hidden_.view();
        input.gate = gate.plain.view();
      }
      RoutingDecision decision = request_.router.route(input);
      if (tokens.step == 0 && tokens.first_rank == 0) {
        compare_routed(decision);
      }
      for (std::size_t part = 0; part + 1 < tokens.starts.size(); ++part) {
        for (std::size_t pass = 0; pass < passes(); ++pass) {
          sink(columns_of(input, decision, tokens, part, pass));
        }
      }
      previous = std::move(decision);
    }
  }

  /// Of hidden_: the router's own where it makes them, else the gate projection.
  void make_logits(const LayerGate& gate) {
    if (!makes_logits() || projects_run_by_run()) {
      return;
    }
    if (!request_.router.needs_logits()) {
      Matrix<float> own = request_.router.own_logits(hidden_.view(), shape_.experts);
      if (!own.empty()) {
        logits_ = std::move(own);
        return;
      }
    }
    gate.project(request_.projection, hidden_.view(), logits_);
  }

  void compare_routed(const RoutingDecision& decision) {
    std::vector<std::int32_t> best;
    for (std::size_t token = 0; token < decision.expert_ids.rows(); ++token) {
      best.push_back(decision.expert_ids(token, 0));
    }
    if (const auto similarity = routed_similarity(hidden_.view(), best, shape_.experts)) {
      routed_similarities_.push_back(*similarity);
    }
  }

  /// The `width` columns of a table's rows [first, last), filled up with `filler`.
  template <class T>
  static std::vector<T> rows_of(
      const Matrix<T>& table, std::size_t first, std::size_t last, std::size_t width, T filler) {
    std::vector<T> rows;
    rows.reserve((last - first) * width);
    for (std::size_t row = first; row < last; ++row) {
      const auto values = table.row(row);
      rows.insert(rows.end(), values.begin(), values.end());
      rows.resize((row - first + 1) * width, filler);
    }
    return rows;
  }

  [[nodiscard]] TraceColumns columns_of(const RouterInput& input,
                                        const RoutingDecision& decision,
                                        const Tokens& tokens,
                                        std::size_t part,
                                        std::size_t pass) {
    const std::size_t first = tokens.starts[part];
    const std::size_t last = tokens.starts[part + 1];
    const std::size_t width = request_.router.top_k();
    const auto part_of = [first, last](const auto& values) {
      return values.empty() ? values : values.subspan(first, last - first);
    };
    const auto modality = part_of(input.modality);
    const auto alive = part_of(std::span<const std::uint8_t>(decision.alive));
    TraceColumns columns{
        .chunks = {{.step = input.step,
                    .layer = input.layer,
                    .source_rank = static_cast<std::int64_t>(tokens.first_rank + part),
                    .first_row = next_row_,
                    .row_count = static_cast<std::int64_t>(last - first)}},
        .expert_ids = rows_of(
            pass == 0 ? decision.expert_ids : decision.second_ids, first, last, width, kNoExpert),
        .gate_weights = rows_of(
            pass == 0 ? decision.weights : decision.second_weights, first, last, width, 0.0F),
        .modality = {modality.begin(), modality.end()},
        .alive = {alive.begin(), alive.end()}};
    if (request_.keeps_token_ids) {
      const auto token_ids = part_of(input.token_ids);
      const auto sequence_ids = part_of(input.sequence_ids);
      columns.token_ids.assign(token_ids.begin(), token_ids.end());
      columns.sequence_ids.assign(sequence_ids.begin(), sequence_ids.end());
    }
    if (request_.keeps_logits) {
      const auto logits =
          input.logits.values().subspan(first * shape_.experts, (last - first) * shape_.experts);
      columns.logits.assign(logits.begin(), logits.end());
    }
    next_row_ += columns.chunks.front().row_count;
    return columns;
  }

  const RouteRequest& request_;
  WorkloadShape shape_;
  std::vector<LayerGate> gates_;
  Matrix<float> hidden_;
  Matrix<float> logits_;
  std::int64_t next_row_ = 0;
  std::vector<double> gate_similarities_;    // [layers]
  std::vector<double> routed_similarities_;  // [layers]
};

}  // namespace

RoutingTrace route_workload(const RouteRequest& request, const Progress& progress) {
  Pipeline pipeline(request);
  TraceColumns all;
  pipeline.run(
      [&all](const TraceColumns& part) {
        append(all.chunks, part.chunks);
        append(all.expert_ids, part.expert_ids);
        append(all.gate_weights, part.gate_weights);
        append(all.logits, part.logits);
        append(all.token_ids, part.token_ids);
        append(all.sequence_ids, part.sequence_ids);
        append(all.modality, part.modality);
        append(all.alive, part.alive);
      },
      progress);
  return RoutingTrace::from_columns(pipeline.metadata(), std::move(all), {"route", ""});
}

Similarities route_workload_to_file(const RouteRequest& request,
                                    const std::filesystem::path& path,
                                    bool overwrite,
                                    const Progress& progress) {
  check_writable(path, overwrite);
  Pipeline pipeline(request);
  // Which columns there are shows in the first chunk that has tokens.
  std::optional<TraceWriter> writer;
  std::vector<TraceColumns> empty_chunks;
  const auto start = [&](const TraceColumns& part) {
    writer.emplace(path,
                   overwrite,
                   TraceLayout{.metadata = pipeline.metadata(),
                               .rows = pipeline.rows(),
                               .chunks = pipeline.chunks(),
                               .has_gate_weights = true,
                               .has_logits = request.keeps_logits,
                               .has_token_ids = !part.token_ids.empty(),
                               .has_sequence_ids = !part.sequence_ids.empty(),
                               .has_modality = !part.modality.empty(),
                               .has_alive = !part.alive.empty(),
                               .has_precision = false});
    for (const TraceColumns& empty : empty_chunks) {
      writer->append(empty);
    }
  };
  pipeline.run(
      [&](const TraceColumns& part) {
        if (!writer && part.expert_ids.empty()) {
          empty_chunks.push_back(part);
          return;
        }
        if (!writer) {
          start(part);
        }
        writer->append(part);
      },
      progress);
  if (!writer) {
    start({});
  }
  writer->commit();
  return pipeline.similarities();
}

}  // namespace switchyard

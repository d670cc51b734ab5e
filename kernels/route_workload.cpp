#include "kernels/route_workload.hpp"

#include <functional>
#include <optional>

#include "core/files/atomic_file.hpp"
#include "kernels/stages/gate_projection.hpp"
#include "traces/files/trace_writer.hpp"

namespace switchyard {
namespace {

/// One layer's gate, packed for the projection; plain too where the router wants to see it.
struct LayerGate {
  Matrix<float> plain;
  std::optional<GateProjection> projection;
};

/// Receives the columns of one chunk after the other.
using Sink = std::function<void(const TraceColumns&)>;

class Pipeline {
 public:
  explicit Pipeline(const RouteRequest& request)
      : request_(request), shape_(request.workload.shape()) {
    request.router.check_shape(shape_.experts, shape_.hidden);
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      throw_if_interrupted();
      LayerGate gate{.plain = request.workload.gate(layer), .projection = std::nullopt};
      if (makes_logits()) {
        gate.projection.emplace(gate.plain.view());
      }
      if (!request.router.needs_hidden()) {
        gate.plain = {};
      }
      gates_.push_back(std::move(gate));
    }
  }

  void run(const Sink& sink, const Progress& progress) {
    const std::size_t runs = shape_.steps * shape_.ranks;
    for (std::size_t step = 0; step < shape_.steps; ++step) {
      for (std::size_t rank = 0; rank < shape_.ranks; ++rank) {
        if (progress) {
          progress("routing",
                   static_cast<double>(step * shape_.ranks + rank) / static_cast<double>(runs));
        }
        route_layers(step, rank, sink);
      }
    }
  }

  [[nodiscard]] std::size_t rows() const {
    std::size_t tokens = 0;
    for (std::size_t rank = 0; rank < shape_.ranks; ++rank) {
      tokens += request_.workload.token_count(rank);
    }
    return tokens * shape_.steps * shape_.layers;
  }

  [[nodiscard]] std::size_t chunks() const { return shape_.steps * shape_.ranks * shape_.layers; }

  [[nodiscard]] TraceMetadata metadata() const {
    return {.model = {.hidden = static_cast<std::int64_t>(shape_.hidden),
                      .experts = static_cast<std::int64_t>(shape_.experts),
                      .top_k = static_cast<std::int64_t>(request_.router.top_k()),
                      .layers = static_cast<std::int64_t>(shape_.layers),
                      .dtype = request_.dtype},
            .router = request_.router_name,
            .router_parameters = request_.router_parameters,
            .seed = request_.seed,
            .provenance = request_.workload.provenance(),
            .rank_assignment = {}};
  }

 private:
  [[nodiscard]] bool makes_logits() const {
    return request_.keeps_logits || request_.router.needs_logits();
  }

  void route_layers(std::size_t step, std::size_t rank, const Sink& sink) {
    const std::size_t tokens = request_.workload.token_count(rank);
    const WorkloadTokens carried = request_.workload.tokens(step, rank);
    hidden_ = Matrix<float>(tokens, shape_.hidden);
    logits_ = Matrix<float>(makes_logits() ? tokens : 0, shape_.experts);
    RoutingDecision previous;
    for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
      throw_if_interrupted();
      request_.workload.fill_hidden({.step = step, .layer = layer, .rank = rank}, hidden_.view());
      const LayerGate& gate = gates_[layer];
      if (makes_logits()) {
        gate.projection->project(hidden_.view(), logits_.view());
      }
      RouterInput input{.logits = logits_.view(),
                        .previous_layer = layer == 0 ? nullptr : &previous,
                        .modality = carried.modality,
                        .token_ids = carried.token_ids,
                        .sequence_ids = carried.sequence_ids,
                        .step = static_cast<std::int64_t>(step),
                        .layer = static_cast<std::int64_t>(layer),
                        .source_rank = static_cast<std::int64_t>(rank),
                        .seed = request_.seed};
      if (request_.router.needs_hidden()) {
        input.hidden = hidden_.view();
        input.gate = gate.plain.view();
      }
      RoutingDecision decision = request_.router.route(input);
      sink(columns_of(input, decision));
      previous = std::move(decision);
    }
  }

  [[nodiscard]] TraceColumns columns_of(const RouterInput& input, const RoutingDecision& decision) {
    const std::span<const std::int32_t> ids = decision.expert_ids.values();
    const std::span<const float> weights = decision.weights.values();
    TraceColumns columns{
        .chunks = {{.step = input.step,
                    .layer = input.layer,
                    .source_rank = input.source_rank,
                    .first_row = next_row_,
                    .row_count = static_cast<std::int64_t>(decision.expert_ids.rows())}},
        .expert_ids = {ids.begin(), ids.end()},
        .gate_weights = {weights.begin(), weights.end()},
        .modality = {input.modality.begin(), input.modality.end()},
        .alive = decision.alive};
    if (request_.keeps_token_ids) {
      columns.token_ids.assign(input.token_ids.begin(), input.token_ids.end());
      columns.sequence_ids.assign(input.sequence_ids.begin(), input.sequence_ids.end());
    }
    if (request_.keeps_logits) {
      columns.logits.assign(input.logits.values().begin(), input.logits.values().end());
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
};

template <class T>
void append(std::vector<T>& all, const std::vector<T>& part) {
  all.insert(all.end(), part.begin(), part.end());
}

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

void route_workload_to_file(const RouteRequest& request,
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
}

}  // namespace switchyard

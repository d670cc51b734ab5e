// Counting reads a trace once, chunk by chunk, and lets each chunk's pages go.
#include "traces/expert_load.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "core/run_control.hpp"

namespace switchyard {
namespace {

void count_chunk(const RoutingTrace& trace, const Chunk& chunk, std::span<std::int64_t> counts) {
  trace.expert_ids(chunk).visit([&]<class T>(std::span<const T> ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const T id = ids[i];
      if (id == static_cast<T>(~T{0})) {
        continue;
      }
      if (std::cmp_less(id, 0) || std::cmp_greater_equal(id, counts.size())) {
        throw_expert_out_of_range(trace, chunk, i / trace.top_k(), static_cast<std::int64_t>(id));
      }
      ++counts[static_cast<std::size_t>(id)];
    }
  });
}

Location place_of(const ExpertLoad& load, const LoadRow& row) {
  std::string place = fmt::format("step {}, layer {}", row.step, row.layer);
  if (row.source_rank >= 0) {
    place += fmt::format(", rank {}", row.source_rank);
  }
  return {load.where.file, place};
}

}  // namespace

Fidelity ExpertLoad::fidelity() const {
  return !rows.empty() && std::all_of(rows.begin(),
                                      rows.end(),
                                      [](const LoadRow& row) { return row.source_rank >= 0; })
             ? Fidelity::CountsPerRank
             : Fidelity::Counts;
}

void check_load(ExpertLoad& load) {
  const std::size_t experts = load.counts.columns();
  if (load.rows.empty() || experts == 0) {
    throw InvalidInput("holds no counts", load.where);
  }
  ModelShape& model = load.metadata.model;
  if (load.counts.rows() != load.rows.size() ||
      (model.experts != 0 && std::cmp_not_equal(model.experts, experts))) {
    throw InvalidInput(fmt::format("counts [{}, {}] do not fit {} rows of {} experts",
                                   load.counts.rows(),
                                   experts,
                                   load.rows.size(),
                                   model.experts),
                       load.where);
  }
  model.experts = static_cast<std::int64_t>(experts);
  for (std::size_t i = 0; i < load.rows.size(); ++i) {
    const LoadRow& row = load.rows[i];
    const Location at = place_of(load, row);
    if (row.step < 0 || row.layer < 0 || row.source_rank < -1) {
      throw InvalidInput("cannot be", at);
    }
    if (i > 0 && !(load.rows[i - 1] < row)) {
      throw InvalidInput("comes twice or out of order", at);
    }
    if ((row.source_rank < 0) != (load.rows.front().source_rank < 0)) {
      throw InvalidInput("either every row names its source rank, or none does (-1)", at);
    }
    std::int64_t total = 0;
    for (const std::int64_t count : load.counts.row(i)) {
      if (count < 0 || __builtin_add_overflow(total, count, &total)) {
        throw InvalidInput(fmt::format("a count of {} cannot be", count), at);
      }
    }
  }
}

void check_divides(const ExpertLoad& load) {
  const std::int64_t top_k = load.metadata.model.top_k;
  for (std::size_t i = 0; top_k > 0 && i < load.rows.size(); ++i) {
    const auto counts = load.counts.row(i);
    const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    if (total % top_k != 0) {
      throw InvalidInput(
          fmt::format("the counts add up to {}, no multiple of {} experts per token", total, top_k),
          place_of(load, load.rows[i]),
          "is top_k right, and does every token have all its experts?");
    }
  }
}

ExpertLoad count_selections(const RoutingTrace& trace, bool by_rank) {
  ExpertLoad load;
  load.metadata = trace.metadata();
  load.where = trace.where();
  for (const StepLayer& step_layer : trace.step_layers()) {
    for (const std::size_t index : step_layer.chunks) {
      const LoadRow row{
          step_layer.step, step_layer.layer, by_rank ? trace.chunks()[index].source_rank : -1};
      if (load.rows.empty() || load.rows.back() != row) {
        load.rows.push_back(row);
      }
    }
  }
  load.counts = Matrix<std::int64_t>(load.rows.size(), trace.expert_count());
  std::size_t at = 0;
  for (const StepLayer& step_layer : trace.step_layers()) {
    for (const std::size_t index : step_layer.chunks) {
      const Chunk& chunk = trace.chunks()[index];
      const LoadRow row{step_layer.step, step_layer.layer, by_rank ? chunk.source_rank : -1};
      at += load.rows[at] == row ? 0U : 1U;
      count_chunk(trace, chunk, load.counts.row(at));
      trace.release(chunk);
    }
    throw_if_interrupted();
  }
  return load;
}

Fidelity fidelity_of(const RoutingData& routing) {
  return std::visit([](const auto& held) { return held.fidelity(); }, routing);
}

const TraceMetadata& metadata_of(const RoutingData& routing) {
  if (const auto* trace = std::get_if<RoutingTrace>(&routing)) {
    return trace->metadata();
  }
  return std::get<ExpertLoad>(routing).metadata;
}

}  // namespace switchyard

// Everything a trace's readers rely on, checked once: types, shapes, ranges, and that every row
// belongs to exactly one chunk.
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "traces/routing_trace_state.hpp"

namespace switchyard {
namespace {

constexpr std::int64_t kMostRanks = std::int64_t{1} << 20U;

bool is_one_of(TensorType type, std::initializer_list<TensorType> allowed) {
  return std::find(allowed.begin(), allowed.end(), type) != allowed.end();
}

constexpr std::initializer_list<TensorType> kIdTypes{
    TensorType::U8, TensorType::U16, TensorType::I32};
constexpr std::initializer_list<TensorType> kFloatTypes{
    TensorType::F16, TensorType::BF16, TensorType::F32};
constexpr std::initializer_list<TensorType> kIntegerTypes{TensorType::U8,
                                                          TensorType::U16,
                                                          TensorType::I16,
                                                          TensorType::U32,
                                                          TensorType::I32,
                                                          TensorType::I64};
constexpr std::initializer_list<TensorType> kByteTypes{TensorType::U8, TensorType::Bool};

std::string name_of(const Chunk& chunk) {
  std::string name = fmt::format("step {}, layer {}", chunk.step, chunk.layer);
  return chunk.source_rank < 0 ? name : name + fmt::format(", rank {}", chunk.source_rank);
}

}  // namespace

void RoutingTrace::State::check_array(const std::string& name,
                                      std::initializer_list<TensorType> types,
                                      std::size_t dimensions) const {
  const Tensor* found = array(name);
  if (found == nullptr) {
    return;
  }
  if (!is_one_of(found->type, types)) {
    std::string wanted;
    for (const TensorType type : types) {
      wanted += (wanted.empty() ? "" : ", ") + std::string(tensor_type_name(type));
    }
    throw InvalidInput(
        fmt::format("has type {}; allowed: {}", tensor_type_name(found->type), wanted),
        place(name));
  }
  if (found->shape.size() != dimensions || found->shape.front() != rows) {
    throw InvalidInput(fmt::format("{} should have {} dimension{}, the first of {} rows",
                                   found->shape_text(),
                                   dimensions,
                                   dimensions == 1 ? "" : "s",
                                   rows),
                       place(name));
  }
}

void RoutingTrace::State::check_model() {
  const std::size_t top_k = array("expert_ids")->shape.at(1);
  ModelShape& model = metadata.model;
  if (top_k == 0 || (model.top_k != 0 && std::cmp_not_equal(model.top_k, top_k))) {
    throw InvalidInput(
        fmt::format("has {} choices per token; the metadata says {}", top_k, model.top_k),
        place("expert_ids"));
  }
  model.top_k = static_cast<std::int64_t>(top_k);
  if (const Tensor* logits = array("logits")) {
    const std::size_t width = logits->shape.at(1);
    if (model.experts != 0 && std::cmp_not_equal(model.experts, width)) {
      throw InvalidInput(fmt::format("has {} columns for {} experts", width, model.experts),
                         place("logits"));
    }
    model.experts = static_cast<std::int64_t>(width);
  }
  if (const Tensor* weights = array("gate_weights"); weights && weights->shape.at(1) != top_k) {
    throw InvalidInput(
        fmt::format("{} should have {} columns, as expert_ids", weights->shape_text(), top_k),
        place("gate_weights"));
  }
  if (model.experts == 0) {
    throw InvalidInput(
        "does not say how many experts a layer has", where, "set \"experts\" in the metadata");
  }
  if (model.experts > kMostExperts || model.top_k > model.experts) {
    throw InvalidInput(fmt::format("top {} of {} experts cannot be", model.top_k, model.experts),
                       where);
  }
}

void RoutingTrace::State::check_chunk(std::size_t index) const {
  const Chunk& chunk = chunks[index];
  const Location at{place("chunks").file, fmt::format("chunk {}", index)};
  if (chunk.step < 0 || chunk.layer < 0 || chunk.source_rank < -1 ||
      chunk.source_rank >= kMostRanks) {
    throw InvalidInput(fmt::format("step {}, layer {}, source rank {} cannot be",
                                   chunk.step,
                                   chunk.layer,
                                   chunk.source_rank),
                       at);
  }
  const auto total = static_cast<std::int64_t>(rows);
  if (chunk.first_row < 0 || chunk.row_count < 0 || chunk.first_row > total ||
      chunk.row_count > total - chunk.first_row) {
    throw InvalidInput(fmt::format("{} rows from row {} on lie outside the {} rows of the trace",
                                   chunk.row_count,
                                   chunk.first_row,
                                   total),
                       at);
  }
  if ((chunk.source_rank < 0) != (chunks.front().source_rank < 0)) {
    throw InvalidInput("has " + std::string(chunk.source_rank < 0 ? "no" : "a") +
                           " source rank, unlike the chunks before",
                       at,
                       "either every chunk names its source rank, or none does (-1)");
  }
}

void RoutingTrace::State::check_rows_are_owned() const {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  for (const Chunk& chunk : chunks) {
    if (chunk.row_count > 0) {
      ranges.emplace_back(chunk.first_row, chunk.first_row + chunk.row_count);
    }
  }
  std::sort(ranges.begin(), ranges.end());
  std::int64_t expected = 0;
  ranges.emplace_back(static_cast<std::int64_t>(rows), static_cast<std::int64_t>(rows));
  for (const auto& [first, end] : ranges) {
    if (first != expected) {
      throw InvalidInput(first < expected ? fmt::format("row {} belongs to two chunks", first)
                                          : fmt::format("row {} belongs to no chunk", expected),
                         place("chunks"));
    }
    expected = end;
  }
}

void RoutingTrace::State::group_chunks() {
  std::vector<std::size_t> order(chunks.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  const auto key = [this](std::size_t i) {
    const Chunk& chunk = chunks[i];
    return std::tuple(chunk.step, chunk.layer, chunk.source_rank);
  };
  // Stable: the passes of a token stay in their order.
  std::stable_sort(
      order.begin(), order.end(), [&key](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::int64_t passes = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Chunk& chunk = chunks[order[i]];
    const bool is_next_pass = i > 0 && key(order[i - 1]) == key(order[i]);
    passes = is_next_pass ? passes + 1 : 1;
    if (passes > metadata.passes) {
      throw InvalidInput(fmt::format("{} appears in {} chunks",
                                     name_of(chunk),
                                     passes == 2 ? "two" : std::to_string(passes)),
                         place("chunks"));
    }
    if (is_next_pass && chunks[order[i - 1]].row_count != chunk.row_count) {
      throw InvalidInput(name_of(chunk) + " has passes of different length", place("chunks"));
    }
    if (step_layers.empty() || step_layers.back().step != chunk.step ||
        step_layers.back().layer != chunk.layer) {
      step_layers.push_back({chunk.step, chunk.layer, {}});
    }
    step_layers.back().chunks.push_back(order[i]);
    source_ranks = std::max(source_ranks, static_cast<std::size_t>(chunk.source_rank + 1));
  }
}

void RoutingTrace::State::check_chunks() {
  if (chunks.empty() || rows == 0) {
    throw InvalidInput("holds no tokens", where);
  }
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    check_chunk(i);
  }
  check_rows_are_owned();
  group_chunks();
}

void RoutingTrace::State::check() {
  check_array("expert_ids", kIdTypes, 2);
  check_array("gate_weights", kFloatTypes, 2);
  check_array("logits", kFloatTypes, 2);
  for (const char* name : {"token_ids", "sequence_ids"}) {
    check_array(name, kIntegerTypes, 1);
  }
  for (const char* name : {"modality", "alive", "precision"}) {
    check_array(name, kByteTypes, 1);
  }
  check_model();
  check_chunks();
}

}  // namespace switchyard

// The expensive half of checking a trace: every row is read once.
#include <cmath>

#include <fmt/format.h>

#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

std::string row_name(const Chunk& chunk, std::size_t row_in_chunk) {
  return fmt::format("row {} (step {}, layer {}, token {} of its chunk)",
                     static_cast<std::size_t>(chunk.first_row) + row_in_chunk,
                     chunk.step,
                     chunk.layer,
                     row_in_chunk);
}

[[noreturn]] void throw_duplicate(const RoutingTrace& trace,
                                  const Chunk& chunk,
                                  std::size_t row,
                                  std::int64_t id) {
  throw InvalidInput(fmt::format("expert {} twice in one token", id),
                     {trace.where().file, row_name(chunk, row)},
                     "a router picks distinct experts: the choices per token may be read wrongly");
}

template <class T>
void check_ids(const RoutingTrace& trace, const Chunk& chunk, std::span<const T> ids) {
  constexpr T kNone = static_cast<T>(~T{0});
  const std::size_t top_k = trace.top_k();
  const auto experts = static_cast<std::int64_t>(trace.expert_count());
  for (std::size_t row = 0; row * top_k < ids.size(); ++row) {
    const std::span<const T> choices = ids.subspan(row * top_k, top_k);
    for (std::size_t i = 0; i < top_k; ++i) {
      const T id = choices[i];
      if (id == kNone) {
        continue;
      }
      const auto wide = static_cast<std::int64_t>(id);
      if (wide < 0 || wide >= experts) {
        throw_expert_out_of_range(trace, chunk, row, wide);
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (choices[j] == id) {
          throw_duplicate(trace, chunk, row, wide);
        }
      }
    }
  }
}

void check_finite(const RoutingTrace& trace,
                  const Chunk& chunk,
                  const std::optional<FloatRows>& numbers,
                  std::string_view name) {
  if (!numbers) {
    return;
  }
  std::vector<float> values(numbers->columns());
  for (std::size_t row = 0; row < numbers->rows(); ++row) {
    numbers->copy_row(row, values);
    for (const float value : values) {
      if (!std::isfinite(value)) {
        throw InvalidInput(fmt::format("{} holds {}", name, value),
                           {trace.where().file, row_name(chunk, row)});
      }
    }
  }
}

}  // namespace

void throw_expert_out_of_range(const RoutingTrace& trace,
                               const Chunk& chunk,
                               std::size_t row_in_chunk,
                               std::int64_t id) {
  throw InvalidInput(fmt::format("expert id {} is outside 0 to {}", id, trace.expert_count() - 1),
                     {trace.where().file, row_name(chunk, row_in_chunk)});
}

void RoutingTrace::check_rows() const {
  for (const Chunk& chunk : chunks()) {
    expert_ids(chunk).visit([&](const auto ids) { check_ids(*this, chunk, ids); });
    check_finite(*this, chunk, gate_weights(chunk), "gate_weights");
    check_finite(*this, chunk, logits(chunk), "logits");
    release(chunk);
  }
}

}  // namespace switchyard

#include "sim/offload/expert_bytes.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

constexpr std::int64_t kBitsOfByte = 8;

// Share of selections and mean gate weight of each expert, [layers * experts].
struct Significance {
  std::vector<double> frequency;
  std::vector<double> weight;
};

Significance significance_of(const RoutingTrace& trace, const AccessStream& stream) {
  const std::size_t keys = stream.layers * stream.experts;
  Significance answer{std::vector<double>(keys, 0), std::vector<double>(keys, 0)};
  std::map<std::int64_t, std::size_t> positions;
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    positions[stream.layer_numbers[layer]] = layer;
  }
  std::vector<double> rows(stream.layers, 0);
  for (const Chunk& chunk : trace.chunks()) {
    const std::size_t layer = positions.at(chunk.layer);
    const ExpertIds ids = trace.expert_ids(chunk);
    const auto weights = trace.gate_weights(chunk);
    rows[layer] += static_cast<double>(ids.rows());
    for (std::size_t row = 0; row < ids.rows(); ++row) {
      for (std::size_t choice = 0; choice < ids.top_k(); ++choice) {
        const std::int32_t expert = ids.at(row, choice);
        if (expert != kNoExpert) {
          const std::size_t key = layer * stream.experts + static_cast<std::size_t>(expert);
          answer.frequency[key] += 1;
          answer.weight[key] += weights ? weights->at(row, choice) : 1;
        }
      }
    }
  }
  for (std::size_t key = 0; key < keys; ++key) {
    answer.weight[key] /= std::max(1.0, answer.frequency[key]);
    answer.frequency[key] /= std::max(1.0, rows[key / stream.experts]);
  }
  return answer;
}

std::vector<std::int64_t> mixed_bits(const PrecisionChoice& choice,
                                     const RoutingTrace& trace,
                                     const AccessStream& stream,
                                     const Location& where) {
  const Significance significance = significance_of(trace, stream);
  const std::size_t experts = stream.experts;
  Matrix<double> error(experts, choice.errors.size());
  for (std::size_t expert = 0; expert < experts; ++expert) {
    std::copy(choice.errors.begin(), choice.errors.end(), error.row(expert).begin());
  }
  const auto total =
      static_cast<std::int64_t>(std::floor(choice.average_bits * static_cast<double>(experts)));
  std::vector<std::int64_t> bits;
  for (std::size_t layer = 0; layer < stream.layers; ++layer) {
    const auto part = [&](const std::vector<double>& all) {
      return std::span(all).subspan(layer * experts, experts);
    };
    const std::vector<std::int64_t> of_layer = allocate_bits(
        bit_costs(part(significance.frequency), part(significance.weight), error, choice.exponents),
        total,
        {.is_exact = false});
    if (of_layer.empty()) {
      throw InvalidInput(
          fmt::format("{} experts cannot have 1, 2 or 3 bits each, one of them 2 and "
                      "one 3, in {} bits ({:g} on average)",
                      experts,
                      total,
                      choice.average_bits),
          where.child("average_bits"));
    }
    bits.insert(bits.end(), of_layer.begin(), of_layer.end());
  }
  return bits;
}

std::int64_t scaled(std::int64_t bytes, double bits, double of_bits) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(bytes) * bits / of_bits));
}

}  // namespace

PrecisionChoice read_precision(Parameters& parameters) {
  constexpr Bounds<double> kShare{0, 1};
  constexpr Bounds<double> kBits{0.1, 32};
  constexpr Bounds<double> kExponent{0, 10};
  PrecisionChoice choice;
  choice.rule.t1 = parameters.get_number(
      "t1",
      1,
      kShare,
      "HOBBIT: a missing expert is loaded in full precision if the gate weights of the token's "
      "heavier experts add up to at most this; 1 = always");
  choice.rule.t2 = parameters.get_number(
      "t2", 1, kShare, "HOBBIT: above t1 and up to here in low precision, beyond it is skipped");
  choice.low_bits =
      parameters.get_number("low_bits", 4, kBits, "bits of a weight in low precision");
  choice.scale_bits = parameters.get_number(
      "scale_bits", 0, {0, 16}, "more bits of each quantised weight, for its group's scale");
  choice.low_share = parameters.get_number(
      "low_share", 0.25, kShare, "of the cache, for experts in low precision; only with t1 < 1");
  choice.average_bits = parameters.get_number("average_bits",
                                              0,
                                              {0, 3},
                                              "MC-MoE: mean bits of a weight, 1 to 3 bits for each "
                                              "expert by frequency and gate weight; 0 = "
                                              "the model's dtype");
  choice.exponents.alpha =
      parameters.get_number("alpha", 1, kExponent, "MC-MoE: exponent of the frequency");
  choice.exponents.beta =
      parameters.get_number("beta", 1.5, kExponent, "MC-MoE: exponent of the gate weight");
  choice.exponents.gamma =
      parameters.get_number("gamma", 1, kExponent, "MC-MoE: exponent of the error");
  const nlohmann::json errors = parameters.get_json(
      "errors", "MC-MoE: error at 1, 2 and 3 bits, a list; default 1/2, 1/4, 1/8 (assumed)");
  choice.errors = {0.5, 0.25, 0.125};
  if (!errors.is_null()) {
    const Location place = parameters.where().child("errors");
    if (!errors.is_array() || errors.size() != choice.errors.size()) {
      throw InvalidInput("wanted three numbers: the error at 1, 2 and 3 bits", place);
    }
    for (std::size_t i = 0; i < choice.errors.size(); ++i) {
      if (!errors[i].is_number() || !(errors[i].get<double>() >= 0)) {
        throw InvalidInput(fmt::format("{} is no error from 0", errors[i].dump()), place.child(i));
      }
      choice.errors[i] = errors[i].get<double>();
    }
  }
  choice.expand_rate = parameters.get_bandwidth("expand_rate",
                                                BytesPerSecond{0},
                                                "full-precision weights made from quantised ones, "
                                                "each time an expert computes; 0GBps = free");
  if (choice.rule.t1 > choice.rule.t2) {
    throw InvalidInput(fmt::format("t1 {:g} is above t2 {:g}", choice.rule.t1, choice.rule.t2),
                       parameters.where(),
                       "scores up to t1 take full precision, up to t2 low precision: t1 <= t2");
  }
  return choice;
}

ExpertBytes expert_bytes(const PrecisionChoice& choice,
                         const ModelCost& model,
                         const RoutingTrace& trace,
                         const AccessStream& stream,
                         const Location& where) {
  const std::int64_t full = expert_size(model).private_bytes;
  const auto dtype_bits = static_cast<double>(kBitsOfByte * element_bytes(model.dtype, {}));
  const std::size_t keys = stream.layers * stream.experts;
  ExpertBytes bytes{std::vector<std::int64_t>(keys, full),
                    std::vector<std::int64_t>(
                        keys, scaled(full, choice.low_bits + choice.scale_bits, dtype_bits)),
                    {}};
  if (choice.average_bits > 0) {
    bytes.bits = mixed_bits(choice, trace, stream, where);
    for (std::size_t key = 0; key < keys; ++key) {
      const double bits = static_cast<double>(bytes.bits[key]) + choice.scale_bits;
      bytes.high[key] = scaled(full, bits, dtype_bits);
      bytes.low[key] = std::min(bytes.low[key], bytes.high[key]);
    }
  }
  return bytes;
}

std::int64_t largest(const std::vector<std::int64_t>& bytes) {
  return bytes.empty() ? 0 : *std::max_element(bytes.begin(), bytes.end());
}

}  // namespace switchyard

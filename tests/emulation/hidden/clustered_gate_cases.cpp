#include "tests/emulation/hidden/clustered_gate_cases.hpp"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "core/numbers/random.hpp"

namespace switchyard {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void fill_hidden(Matrix<float>& hidden, const RoutingDecision& before) {
  RandomStream random(7, {hidden.rows(), hidden.columns()});
  random.fill_normal(hidden.values());
  for (std::size_t token = 0; token < hidden.rows(); ++token) {
    const auto cluster = static_cast<std::size_t>(before.expert_ids(token, 0) + 1);
    for (std::size_t at = 0; at < hidden.columns(); ++at) {
      const bool is_tight = mix_bits(cluster, at) % 3 == 0;
      const auto centre = static_cast<float>(mix_bits(cluster, at + 100) % 64) * 0.03125F - 1.0F;
      hidden(token, at) = hidden(token, at) * (is_tight ? 0.125F : 1.0F) + centre;
    }
  }
}

/// NaN and infinities poison the statistics of their direction, so they come in few tokens.
void make_hard(Matrix<float>& hidden) {
  const std::size_t last = hidden.columns() - 1;
  for (std::size_t token = 0; token < hidden.rows(); ++token) {
    if (token % 5 == 1) {
      std::ranges::copy(hidden.row(token - 1), hidden.row(token).begin());
    }
    if (token % 7 == 3) {
      std::ranges::fill(hidden.row(token), token % 2 == 0 ? -0.0F : 1e-41F);
    }
  }
  hidden(hidden.rows() / 2, last) = kInfinity;
  hidden(hidden.rows() / 3, last) = -kInfinity;
}

RoutingDecision make_before(const ClusteredCase& test) {
  RandomStream random(9, {test.tokens, test.experts});
  const std::size_t slots = std::min<std::size_t>(2, test.experts);
  RoutingDecision before = RoutingDecision::empty(test.tokens, slots);
  // The last expert was never used, the one before it once.
  const std::size_t used = test.experts > 3 ? test.experts - 2 : test.experts;
  for (std::size_t token = 0; token < test.tokens; ++token) {
    if (token % 23 == 5) {
      continue;  // skipped the layer before
    }
    const std::size_t first = std::min(random.index(used), random.index(used));
    const bool is_lone = test.experts > 3 && token == test.tokens / 2;
    before.expert_ids(token, 0) = static_cast<std::int32_t>(is_lone ? used : first);
    before.weights(token, 0) = 0.625F;
    if (slots > 1 && token % 4 != 0 && !is_lone) {
      before.expert_ids(token, 1) = static_cast<std::int32_t>((first + 1) % used);
      before.weights(token, 1) = 0.375F;
    }
  }
  return before;
}

}  // namespace

std::string ClusteredCase::name() const {
  return fmt::format(
      "t{}_w{}_e{}_k{}_{}{}", tokens, width, experts, slots, mode, has_hard_rows ? "_hard" : "");
}

std::vector<ClusteredCase> clustered_cases() {
  return {{0, 64, 8, 2, "language"},
          {1, 64, 8, 2, "language"},
          {31, 33, 5, 2, "language"},
          {32, 64, 8, 2, "first"},
          {33, 352, 16, 2, "language", true},
          {90, 100, 7, 3, "swin", true},
          {65, 130, 9, 2, "compat", true},
          {70, 96, 12, 4, "mix"},
          {40, 1, 3, 1, "mix", true},
          {300, 257, 64, 6, "language"},
          {150, 48, 1, 1, "swin"},
          {64, 40, 100, 8, "compat"},
          {129, 31, 257, 9, "first", true}};
}

ClusteredTokens::ClusteredTokens(const ClusteredCase& shape)
    : test(shape),
      hidden(shape.tokens, shape.width),
      gate(shape.experts, shape.width),
      before(make_before(shape)) {
  fill_hidden(hidden, before);
  RandomStream(8, {shape.experts, shape.width}).fill_normal(gate.values());
  if (shape.has_hard_rows) {
    make_hard(hidden);
    std::ranges::copy(gate.row(0), gate.row(gate.rows() / 2).begin());  // a tie in every token
    gate(gate.rows() - 1, 0) = shape.mode == "compat" ? kNan : 0.0F;
  }
}

RouterInput ClusteredTokens::input() const {
  return {.hidden = hidden.view(), .gate = gate.view(), .previous_layer = &before, .layer = 4};
}

std::vector<std::int32_t> ClusteredTokens::labels() const {
  std::vector<std::int32_t> labels;
  for (std::size_t token = 0; token < test.tokens; ++token) {
    labels.push_back(before.expert_ids(token, 0));
  }
  return labels;
}

RoutingDecision ClusteredTokens::route(const std::string& executor) const {
  Parameters parameters({{"k", test.slots},
                         {"mix", test.mode == "mix"},
                         {"compat", test.mode == "compat"},
                         {"plain_layers", test.mode == "first" ? 5 : 2},
                         {"normalisation", test.mode == "swin" ? "swin" : "language"},
                         {"executor", executor}},
                        {});
  return Registry<Router>::instance().create("ac", "router", parameters)->route(input());
}

}  // namespace switchyard

// One table of hard cases for Adaptive Clustering: what every executor must answer to the last bit.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/router.hpp"

namespace switchyard {

struct ClusteredCase {
  std::size_t tokens = 0;
  std::size_t width = 0;
  std::size_t experts = 0;
  std::size_t slots = 1;
  std::string mode;  ///< "language", "swin", "mix", "compat" or "first" (no layer before)
  bool has_hard_rows = false;

  [[nodiscard]] std::string name() const;

  friend void PrintTo(const ClusteredCase& test, std::ostream* out) { *out << test.name(); }
};

std::vector<ClusteredCase> clustered_cases();

/// The tokens of a case: hidden states in clusters, some of them empty, one with a single token, a
/// few tokens without label; hard rows add NaN, infinities, -0 and equal rows.
struct ClusteredTokens {
  explicit ClusteredTokens(const ClusteredCase& shape);

  [[nodiscard]] RouterInput input() const;

  /// Best experts of the layer before.
  [[nodiscard]] std::vector<std::int32_t> labels() const;

  /// The router `ac` on the CPU ("cpu") or on the current device ("cuda").
  [[nodiscard]] RoutingDecision route(const std::string& executor) const;

  ClusteredCase test;
  Matrix<float> hidden;
  Matrix<float> gate;
  RoutingDecision before;
};

}  // namespace switchyard

// One table of hard cases for the routers that pool: what every executor must answer to the last
// bit.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/router.hpp"

namespace switchyard {

struct PooledCase {
  std::size_t tokens = 0;
  std::size_t width = 0;
  std::size_t experts = 0;
  std::string router = "etr";
  nlohmann::json values = nlohmann::json::object();
  std::string label = {};

  [[nodiscard]] std::string name() const;

  /// Every fifth token is the one before again; then come zeros, NaN, infinity, equal blocks and
  /// numbers whose squares overflow or vanish.
  [[nodiscard]] Matrix<float> hidden() const;

  /// On the CPU ("cpu") or on the current device ("cuda").
  [[nodiscard]] RoutingDecision route(const Matrix<float>& states,
                                      const std::string& executor) const;

  friend void PrintTo(const PooledCase& test, std::ostream* out) { *out << test.name(); }
};

std::vector<PooledCase> pooled_cases();

}  // namespace switchyard

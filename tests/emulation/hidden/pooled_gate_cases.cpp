#include "tests/emulation/hidden/pooled_gate_cases.hpp"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "core/numbers/random.hpp"

namespace switchyard {

std::string PooledCase::name() const {
  return fmt::format("{}_{}_t{}_w{}_e{}", router, label, tokens, width, experts);
}

std::vector<PooledCase> pooled_cases() {
  const nlohmann::json two{{"k", 2}, {"capacity", "factor"}, {"capacity_factor", 0.6}};
  const nlohmann::json bound{{"capacity", "bound"}, {"quantile", 0.3}};
  const nlohmann::json adaptive{{"k", 3}, {"theta", 0.7}, {"quantile", 0}, {"capacity_factor", 3}};
  const nlohmann::json most{{"theta", 1.0}, {"quantile", 1.0}, {"bound_unit", "tokens"}};
  const nlohmann::json near{
      {"k", 2}, {"locality", 0.3}, {"ranks", 4}, {"ranks_per_node", 2}, {"theta", 0.5}};
  const nlohmann::json expert{{"mode", "expert"}, {"k", 3}, {"capacity_factor", 1.3}};
  const nlohmann::json all{{"mode", "expert"}, {"k", 2}, {"theta", 0.25}, {"quantile", 0}};
  const nlohmann::json token{{"mode", "token"}, {"k", 4}};
  return {{0, 64, 8, "etr", two, "two"},
          {1, 64, 8, "etr", adaptive, "adaptive"},
          {31, 33, 5, "etr", two, "two"},
          {32, 40, 40, "etr", bound, "bound"},
          {33, 352, 16, "etr", adaptive, "adaptive"},
          {300, 100, 7, "etr", two, "two"},
          {260, 130, 9, "etr", near, "near"},
          {150, 96, 12, "etr", most, "most"},
          {140, 64, 3, "etr", expert, "expert"},
          {70, 300, 100, "etr", all, "all"},
          {65, 48, 1, "etr", {}, "defaults"},
          {129, 70, 33, "etr", token, "token"},
          {0, 16, 4, "locmoe", {}, "plain"},
          {33, 352, 16, "locmoe", {}, "plain"},
          {130, 65, 33, "locmoe", {{"locality", 0.5}, {"ranks", 3}}, "near"},
          {31, 600, 300, "locmoe", {}, "plain"}};
}

Matrix<float> PooledCase::hidden() const {
  Matrix<float> states(tokens, width);
  RandomStream(21, {tokens, width}).fill_normal(states.values());
  for (std::size_t token = 0; token < tokens; ++token) {
    const auto row = states.row(token);
    switch (token % 20) {
      case 5:
      case 10:
        std::ranges::copy(states.row(token - 1), row.begin());
        break;
      case 6:
        std::ranges::fill(row, -0.0F);
        break;
      case 8:
        row[0] = std::numeric_limits<float>::quiet_NaN();
        break;
      case 11:
        row[row.size() / 2] = std::numeric_limits<float>::infinity();
        break;
      case 13:
        std::ranges::fill(row, 2.0F);
        break;
      case 15:
        row[row.size() - 1] = 3e30F;
        break;
      case 17:
        std::ranges::transform(row, row.begin(), [](float value) { return value * 1e-30F; });
        break;
      default:
        break;
    }
  }
  return states;
}

RoutingDecision PooledCase::route(const Matrix<float>& states, const std::string& executor) const {
  nlohmann::json all = values.is_null() ? nlohmann::json::object() : values;
  all["executor"] = executor;
  Parameters parameters(all, {});
  const Matrix<float> gate(experts, width);
  return Registry<Router>::instance()
      .create(router, "router", parameters)
      ->route({.hidden = states.view(), .gate = gate.view(), .source_rank = 1});
}

}  // namespace switchyard

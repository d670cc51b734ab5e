// Small makers for router tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/numbers/random.hpp"
#include "kernels/router.hpp"
#include "kernels/workloads/workload.hpp"

namespace switchyard {

inline std::unique_ptr<Router> make_router(
    const std::string& name, const nlohmann::json& values = nlohmann::json::object()) {
  Parameters parameters(values, {"test", ""});
  return Registry<Router>::instance().create(name, "router", parameters);
}

inline std::unique_ptr<Workload> make_workload(
    const std::string& name, const nlohmann::json& values = nlohmann::json::object()) {
  Parameters parameters(values, {"test", ""});
  return Registry<Workload>::instance().create(name, "workload", parameters);
}

inline Matrix<float> normal_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Matrix<float> values(rows, columns);
  RandomStream(seed, {rows, columns}).fill_normal(values.values());
  return values;
}

template <class T = float>
Matrix<T> matrix_of(std::initializer_list<std::vector<T>> rows) {
  Matrix<T> matrix(rows.size(), rows.begin()->size());
  std::size_t at = 0;
  for (const std::vector<T>& row : rows) {
    std::copy(row.begin(), row.end(), matrix.row(at++).begin());
  }
  return matrix;
}

/// Choices of each expert.
inline std::vector<double> loads_of(const RoutingDecision& decision, std::size_t experts) {
  std::vector<double> loads(experts, 0);
  for (const std::int32_t id : decision.expert_ids.values()) {
    if (id != kNoExpert) {
      loads[static_cast<std::size_t>(id)] += 1;
    }
  }
  return loads;
}

inline RouterInput logits_only(const Matrix<float>& logits) {
  return {.logits = logits.view()};
}

}  // namespace switchyard

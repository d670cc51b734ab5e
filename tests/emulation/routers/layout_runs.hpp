// The dispatch-layout kernels in the emulator, and the table of cases.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/stages/dispatch_layout.hpp"

namespace switchyard {

struct LayoutCase {
  std::int32_t tokens = 0;
  std::int32_t slots = 1;
  std::int32_t experts = 1;
  std::int32_t ranks = 1;
  std::int32_t ranks_per_node = 1;
  std::int32_t capacity = 1 << 30;
  ChoiceOrder order = ChoiceOrder::TokenMajor;

  [[nodiscard]] std::string name() const;

  friend void PrintTo(const LayoutCase& test, std::ostream* out) { *out << test.name(); }
};

std::vector<LayoutCase> layout_cases();

/// The choices of a case: distinct experts in a token, some hot, some missing.
struct LayoutInput {
  explicit LayoutInput(const LayoutCase& test);

  [[nodiscard]] LayoutRequest request() const;

  LayoutCase test;
  Matrix<std::int32_t> expert_ids;
  std::vector<std::int32_t> expert_to_rank;
};

struct LayoutRunOptions {
  std::int32_t chunk_tokens = 64;
  std::uint64_t schedule_seed = 0;
};

DispatchLayout emulated_layout(const LayoutInput& input, const LayoutRunOptions& options = {});

}  // namespace switchyard

// One table of hard cases for the softmax top-k, its float64 judge, and the result every executor
// of the kernel (emulator, PTX machine, CPU, GPU) must give to the last bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/routers/top_k_launch.hpp"

namespace switchyard {

struct TopKCase {
  TopKShape shape;
  bool is_renormalised = true;
  float scale = 1.0F;
  std::uint64_t seed = 1;
  bool has_hard_rows = true;  ///< false: ordinary values only

  [[nodiscard]] std::string name() const;

  /// How GoogleTest prints a case.
  friend void PrintTo(const TopKCase& test, std::ostream* out) { *out << test.name(); }
};

/// Logits as they lie in memory, aligned to 16 bytes; 16-bit formats leave the upper half unused.
struct LogitBuffer {
  std::vector<std::uint32_t> words;

  [[nodiscard]] const void* address() const { return words.data(); }
};

struct TopKResult {
  std::vector<std::int32_t> expert_ids;  // [tokens, slots]
  std::vector<float> gate_weights;       // [tokens, slots]
};

/// The table: every kernel tier, expert counts that are no power of two, 0, 1, 31..33 tokens.
std::vector<TopKCase> top_k_cases();

/// Rows cycle through ordinary values, ties, all-equal, NaN, infinities, masks that leave fewer
/// than k experts, both zeros, and subnormals.
LogitBuffer make_logits(const TopKCase& test);

/// Logit `at` of the buffer, exactly.
double logit_at(const LogitBuffer& logits, LogitType type, std::size_t at);

/// Ids must be those of a float64 softmax top-k under the rules of router_math.cuh; weights may
/// differ by rounding only.
void expect_judged_correct(const TopKCase& test, const LogitBuffer& logits, const TopKResult& got);

/// Every id and every weight bit.
void expect_identical(const TopKResult& expected, const TopKResult& got, const std::string& who);

}  // namespace switchyard

// The judge shares no arithmetic with the kernels: float64, std::exp and a stable sort.
#include "tests/emulation/routers/top_k_cases.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include <fmt/core.h>

#include "kernels/device/router_math.cuh"
#include "traces/routing_trace.hpp"

namespace switchyard {
namespace {

static_assert(kAbsentExpert == kNoExpert);

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum class RowKind {
  Ordinary,
  Ties,
  AllEqual,
  Nans,
  Infinities,
  Masked,
  Zeros,
  Tiny,
  Empty,
  Count
};

/// Rounded towards zero: a test needs representable values, not a particular rounding.
std::uint32_t bits_in_format(LogitType type, double value) {
  const std::uint32_t bits = bits_of_float(static_cast<float>(value));
  if (type == LogitType::Float32) {
    return bits;
  }
  if (type == LogitType::Bfloat16) {
    return bits >> 16;
  }
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  if (std::isnan(value)) {
    return sign | 0x7E00U;
  }
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520.0) {
    return sign | 0x7C00U;
  }
  if (magnitude < 0x1p-14) {
    return sign | static_cast<std::uint32_t>(magnitude * 0x1p24);
  }
  return sign | (((bits & 0x7FFFFFFFU) - 0x38000000U) >> 13);
}

class RowMaker {
 public:
  RowMaker(RowKind kind, std::uint64_t seed) : kind_(kind), random_(seed) {}

  double next() {
    switch (kind_) {
      case RowKind::Ties:
        return std::round(normal());
      case RowKind::AllEqual:
        return 0.75;
      case RowKind::Nans:
        return chance(4) ? kNan : normal();
      case RowKind::Infinities:
        return chance(9) ? kInfinity : chance(3) ? -kInfinity : normal();
      case RowKind::Masked:
        return chance(16) ? normal() : (chance(2) ? -kInfinity : kNan);
      case RowKind::Zeros:
        return chance(2) ? 0.0 : -0.0;
      case RowKind::Tiny:
        return (chance(2) ? -1.0 : 1.0) * static_cast<double>(random_() % 5) * 0x1p-24;
      case RowKind::Empty:
        return chance(2) ? kNan : -kInfinity;
      default:
        return normal();
    }
  }

 private:
  bool chance(std::uint64_t one_in) { return random_() % one_in == 0; }

  /// About normal with standard deviation 2, the same on every platform.
  double normal() {
    double sum = -6.0;
    for (int term = 0; term < 12; ++term) {
      sum += static_cast<double>(random_() >> 11) * 0x1p-53;
    }
    return 2.0 * sum;
  }

  RowKind kind_;
  std::mt19937_64 random_;
};

/// The expected choice and weights of one row, in float64.
struct JudgedRow {
  std::vector<std::int32_t> expert_ids;
  std::vector<double> gate_weights;
};

JudgedRow judge_row(const std::vector<double>& row, const TopKCase& test) {
  std::vector<std::int32_t> order;
  for (std::size_t expert = 0; expert < row.size(); ++expert) {
    if (row[expert] > -kInfinity) {  // false for NaN
      order.push_back(static_cast<std::int32_t>(expert));
    }
  }
  const auto value = [&](std::int32_t expert) { return row[static_cast<std::size_t>(expert)]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return value(a) > value(b); });
  const auto slots = static_cast<std::size_t>(test.shape.slots);
  const auto share = [&](std::int32_t expert) {
    return value(expert) == value(order[0]) ? 1.0 : std::exp(value(expert) - value(order[0]));
  };
  const std::size_t summed = test.is_renormalised ? std::min(slots, order.size()) : order.size();
  double sum = 0.0;
  for (std::size_t rank = 0; rank < summed; ++rank) {
    sum += share(order[rank]);
  }
  JudgedRow judged;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    const bool has_expert = slot < order.size();
    judged.expert_ids.push_back(has_expert ? order[slot] : kNoExpert);
    judged.gate_weights.push_back(has_expert ? share(order[slot]) / sum * test.scale : 0.0);
  }
  return judged;
}

}  // namespace

std::string TopKCase::name() const {
  return fmt::format("{}_t{}_e{}_k{}_{}",
                     tag_of(shape.logit_type),
                     shape.tokens,
                     shape.experts,
                     shape.slots,
                     is_renormalised ? "chosen" : "all");
}

std::vector<TopKCase> top_k_cases() {
  struct Size {
    std::int32_t tokens, experts, slots;
  };

  constexpr Size kSizes[] = {{0, 64, 8},    {1, 1, 1},     {1, 256, 8},   {31, 8, 2},
                             {32, 64, 6},   {33, 60, 4},   {67, 64, 8},   {33, 128, 1},
                             {37, 100, 8},  {41, 160, 6},  {67, 256, 8},  {29, 255, 3},
                             {19, 96, 12},  {20, 256, 32}, {18, 384, 8},  {18, 512, 2},
                             {18, 512, 10}, {18, 700, 2},  {18, 896, 16}, {18, 1000, 5}};
  std::vector<TopKCase> cases;
  for (const LogitType type : {LogitType::Float32, LogitType::Bfloat16, LogitType::Float16}) {
    for (const Size& size : kSizes) {
      const bool is_renormalised = cases.size() % 3 != 1;
      cases.push_back({.shape = {.logit_type = type,
                                 .tokens = size.tokens,
                                 .experts = size.experts,
                                 .slots = size.slots},
                       .is_renormalised = is_renormalised,
                       .scale = is_renormalised ? 1.0F : 2.5F,
                       .seed = cases.size() + 1});
    }
  }
  return cases;
}

LogitBuffer make_logits(const TopKCase& test) {
  const auto experts = static_cast<std::size_t>(test.shape.experts);
  const auto tokens = static_cast<std::size_t>(test.shape.tokens);
  const bool is_word = test.shape.logit_type == LogitType::Float32;
  LogitBuffer logits;
  logits.words.resize((is_word ? tokens * experts : (tokens * experts + 1) / 2) + 4);
  auto* bytes = reinterpret_cast<unsigned char*>(logits.words.data());
  for (std::size_t token = 0; token < tokens; ++token) {
    const std::size_t kinds = test.has_hard_rows ? static_cast<std::size_t>(RowKind::Count) : 1;
    const auto kind = static_cast<RowKind>(token % kinds);
    RowMaker row(kind, test.seed * 1000003 + token);
    for (std::size_t expert = 0; expert < experts; ++expert) {
      const std::uint32_t bits = bits_in_format(test.shape.logit_type, row.next());
      const std::size_t size = is_word ? 4 : 2;
      std::memcpy(bytes + (token * experts + expert) * size, &bits, size);
    }
  }
  return logits;
}

double logit_at(const LogitBuffer& logits, LogitType type, std::size_t at) {
  if (type == LogitType::Float32) {
    return float_of_bits(logits.words[at]);
  }
  const std::uint32_t half = logits.words[at / 2] >> (16 * (at % 2)) & 0xFFFFU;
  return type == LogitType::Bfloat16 ? float_of_bfloat16(half) : float_of_half(half);
}

void expect_judged_correct(const TopKCase& test, const LogitBuffer& logits, const TopKResult& got) {
  // exp is within 2 ulp, the difference below it within half an ulp of up to 16, sum and quotient
  // add a few more: 4e-6 relative covers all, and shows any wrong term.
  constexpr double kTolerance = 4e-6;
  const auto slots = static_cast<std::size_t>(test.shape.slots);
  const auto experts = static_cast<std::size_t>(test.shape.experts);
  const auto tokens = static_cast<std::size_t>(test.shape.tokens);
  ASSERT_EQ(got.expert_ids.size(), tokens * slots);
  ASSERT_EQ(got.gate_weights.size(), tokens * slots);
  std::vector<double> row(experts);
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t expert = 0; expert < experts; ++expert) {
      row[expert] = logit_at(logits, test.shape.logit_type, token * experts + expert);
    }
    const JudgedRow judged = judge_row(row, test);
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const std::size_t at = token * slots + slot;
      const double weight = judged.gate_weights[slot];
      ASSERT_EQ(got.expert_ids[at], judged.expert_ids[slot])
          << "token " << token << " slot " << slot;
      ASSERT_NEAR(got.gate_weights[at], weight, kTolerance * weight + 1e-37)
          << "token " << token << " slot " << slot;
    }
  }
}

void expect_identical(const TopKResult& expected, const TopKResult& got, const std::string& who) {
  EXPECT_EQ(expected.expert_ids, got.expert_ids) << who;
  ASSERT_EQ(expected.gate_weights.size(), got.gate_weights.size()) << who;
  for (std::size_t at = 0; at < expected.gate_weights.size(); ++at) {
    ASSERT_EQ(bits_of_float(expected.gate_weights[at]), bits_of_float(got.gate_weights[at]))
        << who << ", weight " << at << ": " << expected.gate_weights[at] << " and "
        << got.gate_weights[at];
  }
}

}  // namespace switchyard

// Seeded random streams that give the same numbers on every platform: the engine is fixed by the
// C++ standard, the distributions come from Boost.Random (std:: ones differ between libraries).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>

#include "core/numbers/mix_bits.hpp"

namespace switchyard {

/// An independent stream named by the scenario's seed and a path of numbers, such as
/// {purpose, step, layer}. Equal names give equal numbers, however many threads draw elsewhere.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::initializer_list<std::uint64_t> path);

  /// 64 random bits.
  std::uint64_t bits();
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [0, count); count > 0.
  std::uint64_t index(std::uint64_t count);
  /// Standard normal.
  double normal();
  /// Fills with standard normal numbers.
  void fill_normal(std::span<float> values);

 private:
  std::mt19937_64 engine_;
};

}  // namespace switchyard

// The projection on tensor cores: emulator, compiled PTX and CPU give the same bits, and those are
// within rounding of float64.
#include "kernels/hidden/tensor_projection.hpp"

#include <cmath>
#include <limits>

#include "core/numbers/random.hpp"
#include "tests/emulation/hidden/every_device.hpp"

namespace switchyard {
namespace {

struct Shape {
  std::size_t tokens;
  std::size_t width;
  std::size_t experts;
};

constexpr Shape kShapes[] = {{0, 32, 8},
                             {1, 16, 1},
                             {31, 33, 5},
                             {32, 64, 8},
                             {33, 130, 40},
                             {70, 1, 33},
                             {15, 352, 16},
                             {200, 72, 70}};

/// With infinities, NaN, zeros of both signs, ties in rounding, and numbers that vanish.
Matrix<float> make_rows(std::size_t count, std::size_t width, std::uint64_t seed) {
  Matrix<float> rows(count, width);
  RandomStream(seed, {count, width}).fill_normal(rows.values());
  const float special[] = {std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN(),
                           -0.0F,
                           1.00390625F,
                           1.01171875F,
                           1e-40F,
                           3.4e38F};
  for (std::size_t at = 5; at < rows.values().size(); at += 37) {
    rows.values()[at] = special[at % 7];
  }
  return rows;
}

TEST(TensorProjection, IsTheCpusOnEveryDevice) {
  for (const Shape& shape : kShapes) {
    const Matrix<float> hidden = make_rows(shape.tokens, shape.width, 1);
    const Matrix<float> gate = make_rows(shape.experts, shape.width, 2);
    Matrix<float> expected(shape.tokens, shape.experts);
    project_in_bfloat16(hidden.view(), gate.view(), expected.view());
    const auto run = [&] { return project_in_bfloat16_on_device(hidden.view(), gate.view()); };
    const auto check = [&](const Matrix<float>& got, const std::string& who) {
      expect_same_bits(expected, got, who + ", width " + std::to_string(shape.width));
    };
    on_emulated_devices(run, check);
    on_compiled_devices(run, check);
  }
}

TEST(TensorProjection, IsWithinRoundingOfFloat64) {
  constexpr std::size_t kWidth = 2048;
  Matrix<float> hidden(20, kWidth);
  Matrix<float> gate(12, kWidth);
  RandomStream(3, {}).fill_normal(hidden.values());
  RandomStream(4, {}).fill_normal(gate.values());
  Matrix<float> logits(20, 12);
  project_in_bfloat16(hidden.view(), gate.view(), logits.view());
  for (std::size_t token = 0; token < 20; ++token) {
    for (std::size_t expert = 0; expert < 12; ++expert) {
      double sum = 0;
      for (std::size_t at = 0; at < kWidth; ++at) {
        sum += double{hidden(token, at)} * double{gate(expert, at)};
      }
      // Two roundings to 8 bits for each of 2048 products: a standard deviation of 0.15; six of it.
      EXPECT_NEAR(logits(token, expert), sum, 0.9);
    }
  }
}

}  // namespace
}  // namespace switchyard

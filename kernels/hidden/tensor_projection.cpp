#include "kernels/hidden/tensor_projection.hpp"

#include <cmath>
#include <vector>

#include "kernels/device/router_math.cuh"
#include "kernels/device/token_count.hpp"
#include "kernels/hidden/device_steps.hpp"
#include "kernels/hidden/tensor_projection_launch.hpp"
#include "kernels/selection/parallel_rows.hpp"

namespace switchyard {
namespace {

/// To the nearest, ties to even; NaN stays NaN.
Bfloat16 bfloat16_of(float value) {
  const std::uint32_t bits = bits_of_float(value);
  if (std::isnan(value)) {
    return {static_cast<std::uint16_t>(bits >> 16U | 0x40U)};
  }
  const std::uint32_t rounded = bits + 0x7FFFU + (bits >> 16U & 1U);
  return {static_cast<std::uint16_t>(rounded >> 16U)};
}

/// Coordinates of a row with the zeros that make its length whole 16-byte loads.
std::size_t padded_width(std::size_t width) {
  return (width + kTensorRowUnit - 1) / kTensorRowUnit * kTensorRowUnit;
}

std::vector<Bfloat16> rounded_rows(MatrixView<const float> rows) {
  const std::size_t width = padded_width(rows.columns());
  std::vector<Bfloat16> rounded(rows.rows() * width);
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    for (std::size_t at = 0; at < rows.columns(); ++at) {
      rounded[row * width + at] = bfloat16_of(rows(row, at));
    }
  }
  return rounded;
}

}  // namespace

void project_in_bfloat16(MatrixView<const float> hidden,
                         MatrixView<const float> gate,
                         MatrixView<float> logits) {
  constexpr std::size_t kTogether = 8;  // chains of sums that hide each other's latency
  const std::size_t width = gate.columns();
  const std::size_t experts = gate.rows();
  Matrix<float> columns(width, experts);
  for (std::size_t expert = 0; expert < experts; ++expert) {
    for (std::size_t at = 0; at < width; ++at) {
      columns(at, expert) = float_of_bfloat16(bfloat16_of(gate(expert, at)).bits);
    }
  }
  for_each_token(
      hidden.rows(),
      [] { return 0; },
      [&](std::size_t token, int) {
        for (std::size_t first = 0; first < experts; first += kTogether) {
          const std::size_t count = std::min(kTogether, experts - first);
          float sums[kTogether] = {};
          for (std::size_t at = 0; at < width; ++at) {
            const float value = float_of_bfloat16(bfloat16_of(hidden(token, at)).bits);
            const float* const factors = &columns(at, first);
            for (std::size_t item = 0; item < count; ++item) {
              sums[item] = multiply_add_rounded(value, factors[item], sums[item]);
            }
          }
          std::copy_n(sums, count, &logits(token, first));
        }
      });
}

Matrix<float> project_in_bfloat16_on_device(MatrixView<const float> hidden,
                                            MatrixView<const float> gate) {
  DeviceArena arena(current_device());
  Matrix<float> logits(hidden.rows(), gate.rows());
  if (logits.empty()) {
    return logits;
  }
  check_device_table(hidden.rows(), gate.rows());
  check_device_table(gate.rows(), gate.columns());
  const std::vector<Bfloat16> tokens = rounded_rows(hidden);
  const std::vector<Bfloat16> experts = rounded_rows(gate);
  TensorArguments arguments;
  arguments.hidden = arena.upload(std::span<const Bfloat16>(tokens));
  arguments.gate = arena.upload(std::span<const Bfloat16>(experts));
  arguments.logits = arena.reserve<float>(logits.values().size());
  arguments.tokens = device_token_count(hidden.rows());
  arguments.experts = static_cast<std::int32_t>(gate.rows());
  arguments.width = static_cast<std::int32_t>(padded_width(gate.columns()));
  arguments.expert_blocks = blocks_of(arguments.experts, kTensorExperts);
  arena.device().launch("switchyard_project_bf16",
                        arguments.expert_blocks * blocks_of(arguments.tokens, kTensorTokens),
                        kTensorThreads,
                        arguments);
  arena.download(arguments.logits, logits.values());
  return logits;
}

}  // namespace switchyard

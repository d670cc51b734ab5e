#include "profiler/kernel_floor.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace switchyard {
namespace {

struct CountedShape {
  std::int64_t logit_bytes;
  std::int64_t experts;
  std::int64_t slots;
  bool is_renormalised;
  double warp_instructions;  // a token
};

// The dearest of all architectures compiled for. bfloat16 stands for both 16-bit types.
constexpr std::array<CountedShape, 13> kCounted{{{2, 256, 8, true, 252},
                                                 {2, 256, 8, false, 560},
                                                 {4, 256, 8, true, 390},
                                                 {4, 256, 8, false, 720},
                                                 {2, 64, 6, true, 81},
                                                 {4, 64, 6, true, 124},
                                                 {2, 128, 8, true, 162},
                                                 {4, 128, 8, true, 255},
                                                 {2, 160, 6, true, 252},
                                                 {2, 512, 10, true, 570},
                                                 {2, 1024, 8, true, 635},
                                                 {4, 1024, 8, true, 1090},
                                                 {4, 8, 2, true, 70}}};

}  // namespace

Bytes least_bytes(const TopKLaunch& launch) {
  constexpr std::int64_t kIdAndWeight = 8;
  return Bytes{launch.tokens * (launch.experts * launch.logit_bytes + launch.slots * kIdAndWeight)};
}

std::optional<double> warp_instructions_per_token(const TopKLaunch& launch, bool is_renormalised) {
  const auto* const found =
      std::find_if(kCounted.begin(), kCounted.end(), [&](const CountedShape& shape) {
        return shape.logit_bytes == launch.logit_bytes && shape.experts == launch.experts &&
               shape.slots == launch.slots && shape.is_renormalised == is_renormalised;
      });
  return found == kCounted.end() ? std::nullopt : std::optional(found->warp_instructions);
}

DeviceRates rates_of(const DeviceFacts& device) {
  constexpr double kSchedulers = 4;
  return {.memory = BytesPerSecond{static_cast<double>(device.memory_bytes_per_second)},
          .warp_instructions = static_cast<double>(device.multiprocessors) * kSchedulers *
                               static_cast<double>(device.clock_hertz)};
}

KernelFloor kernel_floor(const TopKLaunch& launch, bool is_renormalised, const DeviceRates& rates) {
  if (!(rates.memory.value > 0) || !(rates.warp_instructions > 0)) {
    throw InvalidInput("the device's rates are not known", {"kernel floor", ""});
  }
  const double instructions = warp_instructions_per_token(launch, is_renormalised).value_or(0.0);
  return {.memory = least_bytes(launch) / rates.memory,
          .issue =
              Seconds{static_cast<double>(launch.tokens) * instructions / rates.warp_instructions}};
}

}  // namespace switchyard

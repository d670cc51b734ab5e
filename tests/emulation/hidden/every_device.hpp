// Runs a router's or a stage's whole CUDA path on every executor there is without a GPU.
#pragma once

#include <cmath>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "core/matrix.hpp"
#include "tests/emulation/devices/emulated_device.hpp"
#include "tests/emulation/devices/ptx_device.hpp"
#include "tests/emulation/ptx/compiled_kernels.hpp"

namespace switchyard {

/// `run()` in the emulator: in natural order, in two permuted orders, and with the launch plan of a
/// larger device. `check(result, name)` gets each result.
template <class Run, class Check>
void on_emulated_devices(const Run& run, const Check& check) {
  for (const EmulationOptions& options : {EmulationOptions{},
                                          EmulationOptions{.schedule_seed = 3},
                                          EmulationOptions{.schedule_seed = 4},
                                          EmulationOptions{.multiprocessors = 64}}) {
    EmulatedDevice device(options);
    const DeviceStandIn stand_in(device);
    check(run(),
          "the emulator, order " + std::to_string(options.schedule_seed) + ", " +
              std::to_string(options.multiprocessors) + " multiprocessors");
  }
}

/// `run()` in the PTX machine, for each architecture of the build.
template <class Run, class Check>
void on_compiled_devices(const Run& run, const Check& check) {
  for (const CompiledKernels& compiled : compiled_kernels()) {
    PtxDevice device(compiled.module);
    const DeviceStandIn stand_in(device);
    check(run(), compiled.module.target);
  }
}

/// A NaN of any kind equals any other: no choice depends on its bits.
inline void expect_same_bits(const Matrix<float>& expected,
                             const Matrix<float>& got,
                             const std::string& who) {
  ASSERT_EQ(expected.values().size(), got.values().size()) << who;
  for (std::size_t at = 0; at < expected.values().size(); ++at) {
    const float a = expected.values()[at];
    const float b = got.values()[at];
    ASSERT_TRUE((std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0)
        << who << " at " << at << ": " << a << " and " << b;
  }
}

}  // namespace switchyard

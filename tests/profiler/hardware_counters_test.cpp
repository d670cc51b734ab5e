// The host side of the Range Profiler works without a GPU: names of counters and numbers of passes
// are checked for the chips that matter. The device side runs only where there is one
// (tests/gpu/cupti_session_gpu_test.cpp).
#include "profiler/cupti/hardware_counters.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "tests/support/expect_error.hpp"

namespace switchyard::testing {
namespace {

// libcupti opens libnvperf_host with RTLD_DEEPBIND, which address sanitizers refuse to start under.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLoadCounters = false;
#else
constexpr bool kCanLoadCounters = true;
#endif

TEST(HardwareCounters, AreKnownOnEveryDataCentreChip) {
  if (!find_cupti().is_there() || !kCanLoadCounters) {
    GTEST_SKIP() << "no libcupti here, or an address sanitizer: " << find_cupti().reason;
  }
  for (const char* chip : {"GA100", "GH100", "GB100"}) {
    for (const CounterGroup& group : counter_groups()) {
      const std::size_t passes = counter_passes(group, chip);
      EXPECT_GE(passes, 1U) << group.name << " on " << chip;
      EXPECT_LE(passes, 4U) << group.name << " on " << chip;
    }
  }
}

TEST(HardwareCounters, AreRefusedWithAReason) {
  if (!find_cupti().is_there() || !kCanLoadCounters) {
    GTEST_SKIP() << "no libcupti here, or an address sanitizer: " << find_cupti().reason;
  }
  expect_error<MissingCapability>(
      [] {
        counter_passes({"none", {"no__such.sum"}}, "GH100");
      },
      "cuptiProfilerHostConfigAddMetrics answers");
  expect_error<MissingCapability>([] { counter_passes(counter_groups().front(), "XY999"); },
                                  "cuptiProfilerHostInitialize answers");
  if (!probe_driver().is_usable) {
    expect_error<MissingCapability>([] { measure_counters([] {}); }, "there is no CUDA context");
  }
}

}  // namespace
}  // namespace switchyard::testing

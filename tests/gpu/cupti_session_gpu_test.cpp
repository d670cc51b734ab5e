// CUPTI on a real GPU: the top-k kernel is recorded, and its time is no less than what the device
// could do at best.
#include <fmt/core.h>

#include "kernels/device/top_k_on_device.hpp"
#include "profiler/activities/activity_timeline.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "profiler/cupti/cupti_session.hpp"
#include "profiler/cupti/hardware_counters.hpp"
#include "profiler/kernel_floor.hpp"
#include "tests/emulation/routers/top_k_cases.hpp"
#include "tests/gpu/gpu_test_support.hpp"

namespace switchyard {
namespace {

TEST(GpuCuptiSession, RecordsTheTopKKernelNoFasterThanItsFloor) {
  SWITCHYARD_NEEDS_GPU();
  if (!profiling_build_reason().empty() || !find_cupti().is_there()) {
    GTEST_SKIP() << profiling_build_reason() << find_cupti().reason;
  }
  constexpr std::int64_t kLaunches = 5;
  // 268 MB of logits: more than any L2 cache.
  const TopKLaunch launch{.tokens = 1 << 18, .experts = 256, .slots = 8};
  const Matrix<float> logits(static_cast<std::size_t>(launch.tokens),
                             static_cast<std::size_t>(launch.experts));
  KeepActivities sink;
  CuptiSession session(sink, {.asks_driver = true});
  for (std::int64_t i = 0; i < kLaunches; ++i) {
    top_k_on_device(logits.view(), {.slots = static_cast<std::size_t>(launch.slots)});
  }
  session.finish();
  ASSERT_FALSE(sink.log.devices.empty()) << "no device record";
  const KernelFloor floor = kernel_floor(launch, true, rates_of(sink.log.devices.front()));
  std::int64_t kernels = 0;
  std::int64_t copies = 0;
  for (const ActivityRecord& record : sink.log.records) {
    copies += record.kind == ActivityKind::Copy ? 1 : 0;
    if (record.kind != ActivityKind::Kernel) {
      continue;
    }
    ++kernels;
    const Seconds time{static_cast<double>(record.end - record.start) * 1e-9};
    EXPECT_GE(time, floor.memory) << "faster than memory: a wrong time, or a wrong floor";
    fmt::print("{}: {:.1f} us, floor {:.1f} us (bytes {:.1f}, instructions {:.1f}), ratio {:.2f}\n",
               sink.log.name_of(record.name),
               time.count() * 1e6,
               floor.time().count() * 1e6,
               floor.memory.count() * 1e6,
               floor.issue.count() * 1e6,
               time / floor.time());
  }
  EXPECT_EQ(kernels, kLaunches);
  EXPECT_EQ(copies, 3 * kLaunches) << "logits in, ids and weights out";
  EXPECT_EQ(sink.log.dropped, 0U);
}

TEST(GpuHardwareCounters, SeeTheBytesOfTheTopKKernel) {
  SWITCHYARD_NEEDS_GPU();
  if (!profiling_build_reason().empty() || !find_cupti().is_there()) {
    GTEST_SKIP() << profiling_build_reason() << find_cupti().reason;
  }
  if (!profiling_permission().allows_counters) {
    GTEST_SKIP() << profiling_permission().description;
  }
  const TopKLaunch launch{.tokens = 1 << 18, .experts = 256, .slots = 8};
  const Matrix<float> logits(static_cast<std::size_t>(launch.tokens),
                             static_cast<std::size_t>(launch.experts));
  const auto route = [&] {
    top_k_on_device(logits.view(), {.slots = static_cast<std::size_t>(launch.slots)});
  };
  route();  // makes the context
  const CounterReport report = measure_counters(route);
  for (const std::string& reason : report.missing) {
    fmt::print("missing: {}\n", reason);
  }
  for (const CounterReading& reading : report.readings) {
    fmt::print("{} = {} {}\n", reading.counter, reading.value, reading.unit);
    if (reading.counter == "dram__bytes_read.sum") {
      EXPECT_GE(reading.value, 0.8 * static_cast<double>(least_bytes(launch).count));
    }
  }
  EXPECT_FALSE(report.readings.empty());
}

}  // namespace
}  // namespace switchyard

// The session against a stand-in for CUPTI that delivers from many threads, drops, and refuses.
#include "profiler/cupti/cupti_session.hpp"

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.hpp"
#include "profiler/cupti/activity_buffers.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "tests/fake_cuda/fake_cupti.hpp"
#include "tests/support/activity_buffer.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

constexpr std::size_t kSmallBuffer = 4096;  // 18 kernels

class FakeCupti {
 public:
  FakeCupti()
      : path_((build_folder() / "fake_cuda/libcupti.so.13").string()),
        library_(dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      throw std::runtime_error("the stand-in for CUPTI is not built: " + path_);
    }
  }

  [[nodiscard]] CuptiOptions options(std::size_t most_buffers = 1024) const {
    return {.library = path_, .buffer_bytes = kSmallBuffer, .most_buffers = most_buffers};
  }

  void launch(std::uint32_t correlation) const {
    auto record = kernel_record("_Z6kernelv", 1000 + correlation, 2000 + correlation);
    record.correlationId = correlation;
    call<decltype(fake_cupti_write)>("fake_cupti_write")(&record, sizeof(record));
  }

  void refuse_with(CUptiResult result) const {
    call<decltype(fake_cupti_set_enable_result)>("fake_cupti_set_enable_result")(result);
  }

  [[nodiscard]] int enabled_kinds() const {
    return call<decltype(fake_cupti_enabled_kinds)>("fake_cupti_enabled_kinds")();
  }

 private:
  template <class Function>
  Function* call(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }

  std::string path_;
  void* library_;
};

class ThrowingSink final : public ActivitySink {
 public:
  void take(ActivityLog& log) override {
    lost = log.dropped;
    if (!log.records.empty()) {
      throw std::runtime_error("disk full");
    }
  }

  std::uint64_t lost = 0;
};

TEST(CuptiSession, GetsEveryRecordOfEveryThread) {
  constexpr std::uint32_t kThreads = 8;
  constexpr std::uint32_t kPerThread = 2000;
  const FakeCupti fake;
  KeepActivities sink;
  CuptiSession session(sink, fake.options());
  EXPECT_GE(fake.enabled_kinds(), 8);
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&fake, thread] {
      for (std::uint32_t i = 0; i < kPerThread; ++i) {
        fake.launch(thread * kPerThread + i);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const CuptiSummary summary = session.finish();
  EXPECT_EQ(summary.records, kThreads * kPerThread);
  EXPECT_GT(summary.buffers, 100U);
  EXPECT_EQ(fake.enabled_kinds(), 0);
  std::set<std::uint32_t> seen;
  for (const ActivityRecord& record : sink.log.records) {
    seen.insert(record.correlation);
  }
  EXPECT_EQ(seen.size(), kThreads * kPerThread);
  EXPECT_EQ(sink.log.dropped, 0U);
  EXPECT_EQ(sink.log.names, std::vector<std::string>{"_Z6kernelv"});
}

TEST(CuptiSession, AsksTheDriverForTheDevices) {
  // By its name, libcuda.so.1, it is found again when the session opens the driver.
  const std::string driver = (build_folder() / "fake_cuda/libcuda.so.1").string();
  void* const library = dlopen(driver.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const FakeCupti fake;
  KeepActivities sink;
  CuptiOptions options = fake.options();
  options.asks_driver = true;
  CuptiSession session(sink, options);
  session.finish();
  dlclose(library);
  ASSERT_EQ(sink.log.devices.size(), 1U);
  const DeviceFacts& device = sink.log.devices.front();
  EXPECT_EQ(sink.log.name_of(device.name), "Fake GPU");
  EXPECT_EQ(device.memory_bytes_per_second, 3'352'320'000'000U);  // 2 x 2.619 GHz x 640 bytes
  EXPECT_EQ(device.clock_hertz, 1'980'000'000U);
  EXPECT_EQ(device.warps_per_multiprocessor, 64U);
  EXPECT_EQ(device.l2_bytes, 0U) << "an attribute that the driver does not have";
}

TEST(CuptiSession, CountsWhatCuptiHadToDrop) {
  const FakeCupti fake;
  KeepActivities sink;
  CuptiSession session(sink, fake.options(/*most_buffers=*/1));
  fake.launch(0);
  std::thread other([&fake] { fake.launch(1); });  // wants a second buffer
  other.join();
  session.finish();
  EXPECT_EQ(sink.log.records.size(), 1U);
  EXPECT_EQ(sink.log.dropped, 1U);
}

TEST(CuptiSession, SaysHowToLiftTheRestrictionAndCanStartAgain) {
  const FakeCupti fake;
  KeepActivities sink;
  fake.refuse_with(CUPTI_ERROR_INSUFFICIENT_PRIVILEGES);
  const auto start = [&] { const CuptiSession session(sink, fake.options()); };
  expect_error<MissingCapability>(start, "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES");
  expect_error<MissingCapability>(start, "NVreg_RestrictProfilingToAdminUsers=0");
  fake.refuse_with(CUPTI_SUCCESS);
  CuptiSession session(sink, fake.options());
  fake.launch(0);
  EXPECT_EQ(session.finish().records, 1U);
}

TEST(CuptiSession, TakesBuffersBackAfterItsEnd) {
  const FakeCupti fake;
  KeepActivities first;
  CuptiSession session(first, fake.options());
  fake.launch(0);
  session.finish();
  fake.launch(1);  // nobody listens
  KeepActivities second;
  CuptiSession next(second, fake.options());
  fake.launch(2);
  next.finish();
  ASSERT_EQ(second.log.records.size(), 1U);
  EXPECT_EQ(second.log.records[0].correlation, 2U);
}

TEST(CuptiSession, IsOneAtATime) {
  const FakeCupti fake;
  KeepActivities sink;
  const CuptiSession session(sink, fake.options());
  expect_error<InternalError>([&] { const CuptiSession second(sink, fake.options()); },
                              "one CUPTI session at a time");
}

TEST(CuptiSession, CountsWhatItsSinkCouldNotTake) {
  const FakeCupti fake;
  ThrowingSink sink;
  CuptiSession session(sink, fake.options());
  fake.launch(0);
  fake.launch(1);
  EXPECT_EQ(session.finish().records, 0U);
  EXPECT_EQ(sink.lost, 2U);
}

TEST(CuptiSession, RelatesItsClockToUnixTime) {
  const FakeCupti fake;
  KeepActivities sink;
  const CuptiSession session(sink, fake.options());
  constexpr std::int64_t kMillisecond = 1'000'000;  // the stand-in stamps with the wall clock
  EXPECT_LT(std::abs(session.epoch_unix_ns()), kMillisecond);
}

TEST(CuptiSession, RefusesALibraryThatIsNoCupti) {
  KeepActivities sink;
  expect_error<MissingCapability>(
      [&] { const CuptiSession session(sink, {.library = "libm.so.6"}); }, "no cuptiGetVersion");
  expect_error<MissingCapability>(
      [&] { const CuptiSession session(sink, {.library = "/nowhere/libcupti.so"}); },
      "does not load");
}

TEST(CuptiSession, SaysWhyTheRealCuptiRefusesWithoutADriver) {
  const FoundLibrary real = find_cupti();
  if (!real.is_there()) {
    GTEST_SKIP() << "no libcupti here: " << real.reason;
  }
  if (probe_driver().is_usable) {
    GTEST_SKIP() << "this machine has a GPU: " << probe_driver().description;
  }
  KeepActivities sink;
  const auto start = [&] { const CuptiSession session(sink, {.library = real.path}); };
  expect_error<MissingCapability>(start, "cuptiActivityEnable answers CUPTI_ERROR_UNKNOWN");
  expect_error<MissingCapability>(start, "no NVIDIA driver");
}

TEST(ActivityBuffers, AreAlignedReusedAndLimited) {
  ActivityBuffers buffers(1024, 2);
  std::uint8_t* const one = buffers.lend();
  const std::uint8_t* const two = buffers.lend();
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one) % 8, 0U);
  EXPECT_NE(one, two);
  EXPECT_EQ(buffers.lend(), nullptr);
  EXPECT_EQ(buffers.refusals(), 1U);
  EXPECT_EQ(buffers.lent(), 2U);
  EXPECT_TRUE(buffers.give_back(one));
  EXPECT_FALSE(buffers.give_back(one)) << "given back twice";
  EXPECT_EQ(buffers.lend(), one);
}

TEST(ProfilingPermission, IsReadFromTheDriversParameters) {
  const TemporaryFolder folder;
  EXPECT_FALSE(profiling_permission("/nowhere/params").is_known);
  const ProfilingPermission open =
      profiling_permission(folder.write("open", "X: 1\nRmProfilingAdminOnly: 0\n"));
  EXPECT_TRUE(open.is_known);
  EXPECT_TRUE(open.allows_counters);
  EXPECT_EQ(open.hint, "");
  const ProfilingPermission closed =
      profiling_permission(folder.write("closed", "RmProfilingAdminOnly: 1\n"));
  const bool is_root = ::geteuid() == 0;
  EXPECT_EQ(closed.allows_counters, is_root);
  EXPECT_THAT(closed.description, ::testing::HasSubstr("administrators"));
  EXPECT_EQ(closed.hint.empty(), is_root);
}

}  // namespace
}  // namespace switchyard::testing

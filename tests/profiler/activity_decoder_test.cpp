// Buffers made by hand through the real cuptiActivityGetNextRecord, which needs no driver.
#include "profiler/cupti/activity_decoder.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "profiler/cupti/cupti_library.hpp"
#include "profiler/cupti/cupti_presence.hpp"
#include "tests/support/activity_buffer.hpp"

namespace switchyard::testing {
namespace {

#define SWITCHYARD_NEEDS_LIBCUPTI()                              \
  if (!find_cupti().is_there()) {                                \
    GTEST_SKIP() << "no libcupti here: " << find_cupti().reason; \
  }                                                              \
  const CuptiLibrary library

// Our aliases name the newest layouts. What the decoder reads must lie where CUDA 12 put it too,
// since libcupti.so.12 is loaded where there is no newer one.
#define SWITCHYARD_SAME_PLACE(Old, New, field) \
  static_assert(offsetof(Old, field) == offsetof(New, field))
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, start);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, end);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, deviceId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, streamId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, blockZ);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, dynamicSharedMemory);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, registersPerThread);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, correlationId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, name);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, graphNodeId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityKernel9, CUpti_ActivityKernel10, graphId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityMemcpy5, CUpti_ActivityMemcpy6, bytes);
SWITCHYARD_SAME_PLACE(CUpti_ActivityMemcpy5, CUpti_ActivityMemcpy6, correlationId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityMemcpy5, CUpti_ActivityMemcpy6, graphId);
SWITCHYARD_SAME_PLACE(CUpti_ActivitySynchronization, CUpti_ActivitySynchronization2, streamId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityGraphTrace, CUpti_ActivityGraphTrace2, streamId);
SWITCHYARD_SAME_PLACE(CUpti_ActivityDevice4, CUpti_ActivityDevice5, name);
#undef SWITCHYARD_SAME_PLACE

ActivityLog decoded(const CuptiLibrary& library, ActivityBuffer& buffer) {
  ActivityLog log;
  ActivityDecoder decoder(library);
  decoder.decode(buffer.data(), buffer.bytes(), log);
  return log;
}

TEST(ActivityDecoder, ReadsAKernelWithItsLaunch) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  ActivityBuffer buffer;
  buffer.add(
      kernel_record("_Z8dispatchPf", 1'000'000'000'000'000'001U, 1'000'000'000'000'000'500U));
  const ActivityLog log = decoded(library, buffer);
  ASSERT_EQ(log.records.size(), 1U);
  const ActivityRecord& kernel = log.records.front();
  EXPECT_EQ(kernel.kind, ActivityKind::Kernel);
  EXPECT_EQ(log.name_of(kernel.name), "_Z8dispatchPf");
  EXPECT_EQ(kernel.start, 1'000'000'000'000'000'001U);
  EXPECT_EQ(kernel.end - kernel.start, 499U);
  EXPECT_EQ(kernel.device, 3U);
  EXPECT_EQ(kernel.stream, 17U);
  EXPECT_EQ(kernel.correlation, 42U);
  EXPECT_EQ(kernel.grid, (std::array<std::uint32_t, 3>{132, 1, 1}));
  EXPECT_EQ(kernel.block, (std::array<std::uint32_t, 3>{256, 2, 1}));
  EXPECT_EQ(kernel.registers_per_thread, 48U);
  EXPECT_EQ(kernel.static_shared_bytes, 1024U);
  EXPECT_EQ(kernel.dynamic_shared_bytes, 2048U);
  EXPECT_EQ(kernel.graph, 5U);
  EXPECT_EQ(kernel.id, 77U);
  EXPECT_EQ(log.malformed, 0U);
}

TEST(ActivityDecoder, ReadsCopiesSetsGraphsAndWaits) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  CUpti_ActivityMemcpy6 copy{};
  copy.kind = CUPTI_ACTIVITY_KIND_MEMCPY;
  copy.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_HTOD;
  copy.bytes = 4096;
  copy.start = 10;
  copy.end = 20;
  CUpti_ActivityMemcpyPtoP4 peer{};
  peer.kind = CUPTI_ACTIVITY_KIND_MEMCPY2;
  peer.bytes = 8192;
  peer.start = 30;
  peer.end = 40;
  peer.srcDeviceId = 1;
  peer.dstDeviceId = 6;
  CUpti_ActivityMemset4 set{};
  set.kind = CUPTI_ACTIVITY_KIND_MEMSET;
  set.bytes = 16;
  set.start = 50;
  set.end = 51;
  CUpti_ActivityGraphTrace2 graph{};
  graph.kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE;
  graph.graphId = 9;
  graph.start = 60;
  graph.end = 90;
  CUpti_ActivitySynchronization2 wait{};
  wait.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION;
  wait.type = CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE;
  wait.start = 70;
  wait.end = 95;
  CUpti_ActivityOverhead3 overhead{};
  overhead.kind = CUPTI_ACTIVITY_KIND_OVERHEAD;
  overhead.overheadKind = CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH;
  overhead.start = 96;
  overhead.end = 97;
  ActivityBuffer buffer;
  buffer.add(copy).add(peer).add(set).add(graph).add(wait).add(overhead);
  const ActivityLog log = decoded(library, buffer);
  ASSERT_EQ(log.records.size(), 6U);
  EXPECT_EQ(log.records[0].kind, ActivityKind::Copy);
  EXPECT_EQ(log.records[0].bytes, 4096U);
  EXPECT_EQ(log.records[0].detail, 1U);
  EXPECT_EQ(log.records[1].kind, ActivityKind::PeerCopy);
  EXPECT_EQ(log.records[1].device, 1U);
  EXPECT_EQ(log.records[1].peer_device, 6U);
  EXPECT_EQ(log.records[2].kind, ActivityKind::Set);
  EXPECT_EQ(log.records[2].bytes, 16U);
  EXPECT_EQ(log.records[3].kind, ActivityKind::GraphLaunch);
  EXPECT_EQ(log.records[3].graph, 9U);
  EXPECT_EQ(log.records[4].kind, ActivityKind::Synchronisation);
  EXPECT_EQ(log.records[4].detail, 3U);
  EXPECT_EQ(log.records[5].kind, ActivityKind::Overhead);
}

TEST(ActivityDecoder, ReadsRangesCallsAndDevices) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  CUpti_ActivityAPI call{};
  call.kind = CUPTI_ACTIVITY_KIND_RUNTIME;
  call.cbid = CUPTI_RUNTIME_TRACE_CBID_cudaLaunchKernel_v7000;
  call.start = 5;
  call.end = 9;
  call.threadId = 12;
  call.correlationId = 42;
  CUpti_ActivityDevice5 device{};
  device.kind = CUPTI_ACTIVITY_KIND_DEVICE;
  device.id = 3;
  device.name = "Some GPU";
  device.numMultiprocessors = 132;
  device.coreClockRate = 1'980'000;              // kHz
  device.globalMemoryBandwidth = 3'352'320'000;  // kB/s
  device.maxWarpsPerMultiprocessor = 64;
  ActivityBuffer buffer;
  buffer.add(marker_record(CUPTI_ACTIVITY_FLAG_MARKER_START, 8, 1, "gate", "NCCL"))
      .add(marker_record(CUPTI_ACTIVITY_FLAG_MARKER_END, 8, 11, nullptr, "NCCL"))
      .add(marker_record(CUPTI_ACTIVITY_FLAG_MARKER_INSTANTANEOUS, 9, 12, "step"))
      .add(call)
      .add(device);
  const ActivityLog log = decoded(library, buffer);
  ASSERT_EQ(log.records.size(), 4U);
  EXPECT_EQ(log.records[0].kind, ActivityKind::RangeStart);
  EXPECT_EQ(log.name_of(log.records[0].name), "gate");
  EXPECT_EQ(log.name_of(log.records[0].domain), "NCCL");
  EXPECT_EQ(log.records[0].thread, 101U);
  EXPECT_EQ(log.records[1].kind, ActivityKind::RangeEnd);
  EXPECT_EQ(log.records[1].name, kNoName);
  EXPECT_EQ(log.records[1].id, 8U);
  EXPECT_EQ(log.records[2].kind, ActivityKind::Mark);
  EXPECT_EQ(log.records[3].kind, ActivityKind::HostCall);
  EXPECT_EQ(log.name_of(log.records[3].name), "cudaLaunchKernel_v7000");
  EXPECT_EQ(log.records[3].thread, 12U);
  ASSERT_EQ(log.devices.size(), 1U);
  EXPECT_EQ(log.name_of(log.devices[0].name), "Some GPU");
  EXPECT_EQ(log.devices[0].clock_hertz, 1'980'000'000U);
  EXPECT_EQ(log.devices[0].memory_bytes_per_second, 3'352'320'000'000U);
}

TEST(ActivityDecoder, CountsKindsThatItDoesNotKnow) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  CUpti_ActivityContext3 context{};
  context.kind = CUPTI_ACTIVITY_KIND_CONTEXT;
  ActivityBuffer buffer;
  buffer.add(context).add(kernel_record("k", 1, 2)).add(context);
  const ActivityLog log = decoded(library, buffer);
  EXPECT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.unknown_kinds.at(CUPTI_ACTIVITY_KIND_CONTEXT), 2U);
  EXPECT_EQ(log.malformed, 0U);
}

TEST(ActivityDecoder, KeepsWhatComesBeforeNonsense) {
  SWITCHYARD_NEEDS_LIBCUPTI();

  struct Nonsense {
    std::uint32_t kind = 0x7777;
    std::uint32_t rest = 0;
  };

  ActivityBuffer buffer;
  buffer.add(kernel_record("k", 1, 2)).add(Nonsense{}).add(kernel_record("k", 3, 4));
  const ActivityLog log = decoded(library, buffer);
  EXPECT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.malformed + log.unknown_kinds.size(), 1U);
}

TEST(ActivityDecoder, LeavesOutActivitiesWithoutATime) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  ActivityBuffer buffer;
  buffer.add(kernel_record("no time stamps", 0, 0))
      .add(kernel_record("still running", 100, 0))
      .add(kernel_record("fine", 100, 100));
  const ActivityLog log = decoded(library, buffer);
  EXPECT_EQ(log.untimed, 2U);
  ASSERT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.name_of(log.records[0].name), "fine");
}

TEST(ActivityDecoder, BelievesTheTextOfANameNotItsAddress) {
  SWITCHYARD_NEEDS_LIBCUPTI();
  std::string reused = "first";
  ActivityLog log;
  ActivityDecoder decoder(library);
  ActivityBuffer one;
  one.add(kernel_record(reused.c_str(), 1, 2));
  decoder.decode(one.data(), one.bytes(), log);
  reused = "other";
  ActivityBuffer two;
  two.add(kernel_record(reused.c_str(), 3, 4)).add(kernel_record("first", 5, 6));
  decoder.decode(two.data(), two.bytes(), log);
  ASSERT_EQ(log.records.size(), 3U);
  EXPECT_EQ(log.name_of(log.records[1].name), "other");
  EXPECT_EQ(log.records[2].name, log.records[0].name);
  EXPECT_EQ(log.names.size(), 2U);
}

}  // namespace
}  // namespace switchyard::testing

#include "profiler/activities/activity_timeline.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace switchyard::testing {
namespace {

ActivityRecord record(ActivityKind kind, std::uint64_t start, std::uint64_t end) {
  ActivityRecord made;
  made.kind = kind;
  made.start = start;
  made.end = end;
  return made;
}

EventTimeline timeline_of(const ActivityLog& log, bool is_complete = true) {
  EventTimeline sink;
  ActivityTimeline timeline(sink, {.epoch_unix_ns = 3, .process_id = 9, .rank = 2, .host = "n"});
  timeline.add(log);
  timeline.finish({.is_complete = is_complete});
  return sink;
}

std::int64_t note_count(const EventTimeline& timeline, const std::string& words) {
  std::int64_t count = 0;
  for (const TimelineNote& note : timeline.tables.notes) {
    count += note.text.find(words) != std::string::npos ? note.count : 0;
  }
  return count;
}

TEST(ActivityTimeline, NamesItsProcessAndDemanglesKernels) {
  ActivityLog log;
  log.names = {"_Z8dispatchPf", "not mangled"};
  log.records = {record(ActivityKind::Kernel, 10, 30), record(ActivityKind::Kernel, 40, 41)};
  log.records[0].name = 0;
  log.records[0].device = 4;
  log.records[0].stream = 7;
  log.records[0].correlation = 5;
  log.records[1].name = 1;
  const EventTimeline timeline = timeline_of(log);
  ASSERT_EQ(timeline.tables.processes.size(), 1U);
  EXPECT_EQ(timeline.tables.processes[0].rank, 2);
  EXPECT_EQ(timeline.tables.processes[0].epoch_unix_ns, 3);
  ASSERT_EQ(timeline.events.size(), 2U);
  const TimelineEvent& kernel = timeline.events[0];
  EXPECT_EQ(timeline.name(kernel), "dispatch(float*)");
  EXPECT_EQ(kernel.kind, EventKind::Kernel);
  EXPECT_EQ(kernel.start_ns, 10);
  EXPECT_EQ(kernel.duration_ns, 20);
  EXPECT_EQ(kernel.device, 4);
  EXPECT_EQ(kernel.stream, 7);
  EXPECT_EQ(kernel.correlation, 5);
  EXPECT_EQ(timeline.name(timeline.events[1]), "not mangled");
  EXPECT_EQ(timeline.events[1].correlation, -1);
}

TEST(ActivityTimeline, KeepsBytesAndPeers) {
  ActivityLog log;
  log.records = {record(ActivityKind::Copy, 1, 2), record(ActivityKind::PeerCopy, 3, 4)};
  log.records[0].detail = 1;
  log.records[0].bytes = 64;
  log.records[1].device = 1;
  log.records[1].peer_device = 6;
  log.records[1].bytes = 128;
  const EventTimeline timeline = timeline_of(log);
  ASSERT_EQ(timeline.events.size(), 2U);
  EXPECT_EQ(timeline.name(timeline.events[0]), "memcpy HtoD");
  EXPECT_EQ(timeline.events[0].bytes, 64);
  EXPECT_EQ(timeline.events[1].kind, EventKind::PeerCopy);
  EXPECT_EQ(timeline.events[1].device, 1);
  EXPECT_EQ(timeline.events[1].peer_device, 6);
}

TEST(ActivityTimeline, PairsRangesInWhateverOrderTheirBuffersCame) {
  ActivityLog log;
  log.names = {"gate", "combine", "NCCL"};
  auto start = record(ActivityKind::RangeStart, 10, 10);
  start.name = 0;
  start.thread = 3;
  start.id = 1;
  auto end = record(ActivityKind::RangeEnd, 25, 25);
  end.id = 1;
  auto early_end = record(ActivityKind::RangeEnd, 60, 60);
  early_end.id = 2;
  auto late_start = record(ActivityKind::RangeStart, 50, 50);
  late_start.id = 2;
  late_start.name = 1;
  late_start.domain = 2;
  auto open = record(ActivityKind::RangeStart, 70, 70);
  open.id = 3;
  open.name = 0;
  auto lonely = record(ActivityKind::RangeEnd, 80, 80);
  lonely.id = 4;
  log.records = {start, end, early_end, late_start, open, lonely};
  const EventTimeline timeline = timeline_of(log);
  ASSERT_EQ(timeline.events.size(), 2U);
  EXPECT_EQ(timeline.name(timeline.events[0]), "gate");
  EXPECT_EQ(timeline.events[0].kind, EventKind::Range);
  EXPECT_EQ(timeline.events[0].duration_ns, 15);
  EXPECT_EQ(timeline.events[0].stream, 3);
  EXPECT_EQ(timeline.events[0].device, -1);
  EXPECT_EQ(timeline.name(timeline.events[1]), "NCCL: combine");
  EXPECT_EQ(timeline.events[1].start_ns, 50);
  EXPECT_EQ(timeline.events[1].duration_ns, 10);
  EXPECT_EQ(note_count(timeline, "still open"), 1);
  EXPECT_EQ(note_count(timeline, "without a start"), 1);
}

TEST(ActivityTimeline, TellsWhatIsMissing) {
  ActivityLog log;
  log.dropped = 3;
  log.untimed = 4;
  log.malformed = 5;
  log.unknown_kinds[33] = 6;
  const EventTimeline timeline = timeline_of(log, /*is_complete=*/false);
  EXPECT_EQ(note_count(timeline, "dropped for want of buffers"), 3);
  EXPECT_EQ(note_count(timeline, "without a time"), 4);
  EXPECT_EQ(note_count(timeline, "no record"), 5);
  EXPECT_EQ(note_count(timeline, "kind 33"), 6);
  EXPECT_EQ(note_count(timeline, "did not end by itself"), 1);
  EXPECT_TRUE(timeline_of({}).tables.notes.empty());
}

TEST(ActivityTimeline, WeighsOccupancyByTime) {
  ActivityLog log;
  log.names = {"kernel", "Some GPU"};
  DeviceFacts facts;
  facts.name = 1;
  facts.capability_major = 9;
  facts.warps_per_multiprocessor = 64;
  facts.blocks_per_multiprocessor = 32;
  facts.shared_bytes_per_multiprocessor = 228 * 1024;
  facts.registers_per_multiprocessor = 65536;
  facts.multiprocessors = 132;
  log.devices = {facts};
  auto full = record(ActivityKind::Kernel, 0, 10);
  full.name = 0;
  full.block = {256, 1, 1};
  full.registers_per_thread = 32;
  auto half = record(ActivityKind::Kernel, 10, 40);
  half.name = 0;
  half.block = {256, 1, 1};
  half.registers_per_thread = 64;
  log.records = {full, half};
  const EventTimeline timeline = timeline_of(log);
  ASSERT_EQ(timeline.tables.devices.size(), 1U);
  EXPECT_EQ(timeline.tables.devices[0].name, "Some GPU");
  EXPECT_EQ(timeline.tables.devices[0].multiprocessors, 132);
  ASSERT_EQ(timeline.tables.counters.size(), 1U);
  EXPECT_EQ(timeline.tables.counters[0].counter, "theoretical_occupancy");
  EXPECT_DOUBLE_EQ(timeline.tables.counters[0].value, (10 * 1.0 + 30 * 0.5) / 40);
}

}  // namespace
}  // namespace switchyard::testing

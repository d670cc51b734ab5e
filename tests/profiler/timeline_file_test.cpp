// The measured-timeline file: what goes in comes out, and nothing else is believed.
#include "profiler/timeline_file.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/small_timeline.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::small_timeline;
using testing::TemporaryFolder;

class MeasuredTimelineFile : public ::testing::Test {
 protected:
  std::filesystem::path written() const {
    write_timeline(small_timeline(), path, true);
    return path;
  }

  // Changes a written file by SQL, as a stranger would.
  std::filesystem::path changed(const std::string& sql) const {
    const SqliteDatabase database(written(), SqliteDatabase::Mode::Write, {});
    database.run(sql);
    return path;
  }

  void expect_refused(const std::string& sql, const std::string& words) const {
    changed(sql);
    expect_error<InvalidInput>([this] { (void)read_timeline(path); }, words);
  }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "rank0.timeline";
};

TEST_F(MeasuredTimelineFile, GivesBackWhatWasWritten) {
  EventTimeline before = small_timeline();
  before.tables.summaries.push_back({.kind = EventKind::Kernel,
                                     .name = before.intern("gemm"),
                                     .count = 3,
                                     .total_ns = 12,
                                     .max_ns = 6.5});
  before.tables.timings.push_back({.operation = before.intern("all_to_all"),
                                   .ranks = 8,
                                   .bytes = 1024,
                                   .time_ns = 31250.5,
                                   .bus_bandwidth = 2e9,
                                   .is_in_place = true,
                                   .wrong = 0});
  before.tables.counters.push_back({.counter = "dram__bytes_read.sum", .value = 1e9, .unit = "B"});
  before.tables.note(TimelineNote::Kind::Lost, "records dropped", 4);
  write_timeline(before, path, false);
  const EventTimeline after = read_timeline(path);
  EXPECT_EQ(after.events, before.events);
  EXPECT_EQ(after.collectives, before.collectives);
  EXPECT_EQ(after.tables.processes, before.tables.processes);
  EXPECT_EQ(after.tables.devices, before.tables.devices);
  EXPECT_EQ(after.tables.summaries, before.tables.summaries);
  EXPECT_EQ(after.tables.timings, before.tables.timings);
  EXPECT_EQ(after.tables.counters, before.tables.counters);
  EXPECT_EQ(after.tables.notes, before.tables.notes);
  EXPECT_EQ(after.tables.format, "by hand");
  EXPECT_EQ(after.name(after.events[2]), "ncclDevKernel_SendRecv");
}

TEST_F(MeasuredTimelineFile, KeepsNineteenDigits) {
  EventTimeline timeline = small_timeline();
  timeline.events[2].start_ns = 1'682'725'898'236'567'891;
  write_timeline(timeline, path, false);
  EXPECT_EQ(read_timeline(path).events[2].start_ns, 1'682'725'898'236'567'891);
}

TEST_F(MeasuredTimelineFile, AnswersPlainSql) {
  const SqliteDatabase database(written(), SqliteDatabase::Mode::ReadOnly, {});
  SqliteStatement query(database,
                        "SELECT rank, sum(duration_ns) FROM events WHERE kind = 'kernel' "
                        "GROUP BY rank ORDER BY rank");
  ASSERT_TRUE(query.step());
  EXPECT_EQ(query.integer(1), 4000);
  ASSERT_TRUE(query.step());
  EXPECT_EQ(query.integer(1), 3900);
}

TEST_F(MeasuredTimelineFile, IsKnownByItsTables) {
  EXPECT_TRUE(is_timeline_file(written()));
}

TEST_F(MeasuredTimelineFile, AppearsOnlyWhenCommitted) {
  {
    TimelineWriter writer(path, false);
    writer.tables.processes.emplace_back();
    writer.add({.name = writer.intern("kernel")});
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(MeasuredTimelineFile, RefusesAnEventWithoutAName) {
  TimelineWriter writer(path, false);
  writer.tables.processes.emplace_back();
  expect_error<InternalError>([&writer] { writer.add(TimelineEvent{}); }, "it has name -1 of 0");
}

TEST_F(MeasuredTimelineFile, RefusesOtherDatabases) {
  expect_refused("DROP TABLE event", "no measured timeline: it has no table \"event\"");
  expect_refused("UPDATE timeline SET format_version = 99", "timeline format 99, newer than");
}

TEST_F(MeasuredTimelineFile, RefusesRowsThatCannotBe) {
  expect_refused("UPDATE event SET duration_ns = -5 WHERE rowid = 3",
                 "table \"event\", row 3: its duration is negative (-5 ns)");
  expect_refused("UPDATE event SET start_ns = 9223372036854775807 WHERE rowid = 2",
                 "row 2: it ends beyond the range");
  expect_refused("UPDATE event SET name = 1000", "row 1: it has name 1000 of");
  expect_refused("UPDATE event SET process = 2", "row 1: it is of process 2 of 2");
  expect_refused("UPDATE event SET collective = 7", "row 1: it has collective 7 of 2");
  expect_refused("UPDATE event SET kind = 99", "row 1: there is no kind 99");
  expect_refused("UPDATE event SET start_ns = 'soon'", "row 1: start_ns is no whole number");
  expect_refused("UPDATE event SET device = 5000000000", "device = 5000000000 is out of range");
  expect_refused("UPDATE process SET rank = 0", "table \"process\", row 2: rank 0 is there twice");
  expect_refused("UPDATE collective SET in_splits = '[1,x]'", "\"[1,x]\" is no list of numbers");
  expect_refused("DELETE FROM name WHERE name = 1", "numbered from 0 without gaps");
}

TEST_F(MeasuredTimelineFile, SaysThatAFileIsLocked) {
  const SqliteDatabase other(written(), SqliteDatabase::Mode::Write, {});
  other.run("BEGIN EXCLUSIVE");
  expect_error<InvalidInput>([this] { (void)read_timeline(path); }, "is locked by another program");
}

TEST_F(MeasuredTimelineFile, SaysThatAFileIsDamaged) {
  const auto size = std::filesystem::file_size(written());
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
  }
  expect_error<InvalidInput>([this] { (void)read_timeline(path); }, "is damaged");
}

TEST_F(MeasuredTimelineFile, ReadsNoHalfFile) {
  std::filesystem::resize_file(written(), 8192);
  expect_error<InvalidInput>([this] { (void)read_timeline(path); }, "is damaged");
}

TEST(CollectiveNames, AgreeAcrossLibraries) {
  for (const char* name : {"alltoallv", "all_to_all", "AlltoAll", "all_to_allv", "AllToAllv"}) {
    EXPECT_EQ(collective_operation(name), "all_to_all") << name;
  }
  EXPECT_EQ(collective_operation("_allgather_base"), "all_gather");
  EXPECT_EQ(collective_operation("Send"), "send");
  EXPECT_EQ(data_type_bytes("BFloat16"), 2);
  EXPECT_EQ(data_type_bytes("Float8_e4m3fn"), 1);
  EXPECT_EQ(data_type_bytes("quaternion"), 0);
}

}  // namespace
}  // namespace switchyard

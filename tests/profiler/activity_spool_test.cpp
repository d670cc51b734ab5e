// Spools are written by programs that may be killed at any moment, and read by one that may not
// fall over any of it.
#include "profiler/activities/activity_spool.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/numbers/random.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/profiles.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard::testing {
namespace {

namespace fs = std::filesystem;

ActivityRecord kernel(std::uint64_t start, std::uint32_t name) {
  ActivityRecord record;
  record.start = start;
  record.end = start + 10;
  record.name = name;
  return record;
}

fs::path written_spool(const TemporaryFolder& folder, bool is_complete = true) {
  const fs::path path = folder.path() / "a.spool";
  SpoolWriter writer(path);
  writer.write_owner({.epoch_unix_ns = 5,
                      .process_id = 77,
                      .rank = 3,
                      .world_size = 8,
                      .cupti_version = 130001,
                      .host = "node7",
                      .command = "serve"});
  ActivityLog log;
  log.names = {"gate", "dispatch"};
  log.records = {kernel(100, 0), kernel(200, 1)};
  log.devices.resize(1);
  log.unknown_kinds[9] = 4;
  writer.take(log);
  log.names.emplace_back("combine");
  log.records = {kernel(300, 2)};
  log.devices.clear();
  log.dropped = 6;
  writer.take(log);
  if (is_complete) {
    writer.write_end();
  }
  return path;
}

struct ReadSpool {
  SpoolSummary summary;
  std::vector<std::string> kernels;
  std::size_t devices = 0;
  ActivityLog last;
};

ReadSpool read(const fs::path& path) {
  ReadSpool result;
  result.summary = read_spool(path, [&](const SpoolSummary& /*so_far*/, const ActivityLog& log) {
    for (const ActivityRecord& record : log.records) {
      result.kernels.push_back(log.name_of(record.name));
    }
    result.devices += log.devices.size();
    result.last = log;
  });
  return result;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ActivitySpool, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const ReadSpool spool = read(written_spool(folder));
  EXPECT_EQ(spool.summary.owner.rank, 3);
  EXPECT_EQ(spool.summary.owner.world_size, 8);
  EXPECT_EQ(spool.summary.owner.host, "node7");
  EXPECT_EQ(spool.summary.owner.command, "serve");
  EXPECT_EQ(spool.summary.owner.cupti_version, 130001U);
  EXPECT_TRUE(spool.summary.is_complete);
  EXPECT_EQ(spool.summary.records, 3U);
  EXPECT_EQ(spool.summary.lost_bytes, 0U);
  EXPECT_EQ(spool.kernels, (std::vector<std::string>{"gate", "dispatch", "combine"}));
  EXPECT_EQ(spool.devices, 1U);
  EXPECT_EQ(spool.last.dropped, 6U);
  EXPECT_EQ(spool.last.unknown_kinds.at(9), 4U);
}

TEST(ActivitySpool, CutAnywhereItKeepsTheWholeFramesBefore) {
  const TemporaryFolder folder;
  const std::string whole = bytes_of(written_spool(folder));
  std::size_t best = 0;
  for (std::size_t length = 16; length < whole.size(); ++length) {
    const ReadSpool spool = read(folder.write("cut.spool", whole.substr(0, length)));
    EXPECT_FALSE(spool.summary.is_complete) << length;
    EXPECT_GE(spool.kernels.size(), best) << length;
    best = spool.kernels.size();
  }
  EXPECT_EQ(best, 3U);
}

TEST(ActivitySpool, NeverFallsOverDamagedBytes) {
  const TemporaryFolder folder;
  const std::string whole = bytes_of(written_spool(folder));
  RandomStream random(1, {0});
  for (int trial = 0; trial < 500; ++trial) {
    std::string damaged = whole;
    for (int change = 0; change < 3; ++change) {
      damaged[random.index(damaged.size())] = static_cast<char>(random.index(256));
    }
    try {
      read(folder.write("damaged.spool", damaged));
    } catch (const InvalidInput&) {
      // Refused with a reason; anything else ends the test.
    }
  }
}

TEST(ActivitySpool, SaysWhatIsWrongAndWhere) {
  const TemporaryFolder folder;
  expect_error<InvalidInput>([&] { read(folder.write("text.spool", "hello")); },
                             "is no spool of switchyard profile");
  const std::string whole = bytes_of(written_spool(folder));
  std::string other_version = whole;
  other_version[8] = 9;
  expect_error<InvalidInput>([&] { read(folder.write("new.spool", other_version)); },
                             "another version of switchyard");
  std::string unknown = whole;
  unknown[16] = 99;
  expect_error<InvalidInput>([&] { read(folder.write("unknown.spool", unknown)); },
                             "offset 16: holds a frame of unknown type 99");
}

TEST(ActivitySpool, CarriesTheReasonWhyNothingWasRecorded) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.spool";
  {
    SpoolWriter writer(path);
    writer.write_problem("not permitted", "ask root");
  }
  const ReadSpool spool = read(path);
  EXPECT_EQ(spool.summary.problem, "not permitted");
  EXPECT_EQ(spool.summary.problem_hint, "ask root");
  EXPECT_FALSE(spool.summary.has_owner);
}

TEST(ActivitySpool, ImportedItIsATimeline) {
  const TemporaryFolder folder;
  const EventTimeline timeline = import_profile(written_spool(folder, /*is_complete=*/false));
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), (KindSum{3, 30}));
  EXPECT_EQ(timeline.tables.format, "cupti");
  EXPECT_EQ(timeline.tables.source, "serve");
  ASSERT_EQ(timeline.tables.processes.size(), 1U);
  EXPECT_EQ(timeline.tables.processes[0].rank, 3);
  EXPECT_EQ(note_count(timeline, TimelineNote::Kind::Lost, "dropped for want of buffers"), 6);
  EXPECT_EQ(note_count(timeline, TimelineNote::Kind::Doubtful, "did not end by itself"), 1);
}

TEST(ActivitySpool, WithoutRecordsIsNoTimeline) {
  const TemporaryFolder folder;
  const fs::path refused = folder.path() / "refused.spool";
  SpoolWriter(refused).write_problem("not permitted", "ask root");
  expect_error<InvalidInput>([&] { (void)import_profile(refused); },
                             "holds no records: not permitted");
  const fs::path early = folder.path() / "early.spool";
  SpoolWriter(early).write_owner({.process_id = 1});
  expect_error<InvalidInput>([&] { (void)import_profile(early); },
                             "its program ended before it recorded anything");
}

TEST(ActivitySpool, IsNeverWrittenOverAnother) {
  const TemporaryFolder folder;
  const fs::path path = written_spool(folder);
  expect_error<InvalidInput>([&] { const SpoolWriter again(path); }, "cannot be created");
}

}  // namespace
}  // namespace switchyard::testing

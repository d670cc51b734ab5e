// Foreign profiles: hand-made files of each format with the traps that the format is known for.
#include <gtest/gtest.h>

#include "core/files/sqlite.hpp"
#include "profiler/timeline_file.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/profiles.hpp"

namespace switchyard {
namespace {

using testing::expect_error;
using testing::import_profile;
using testing::KindSum;
using testing::kineto_document;
using testing::kineto_kernel;
using testing::note_count;
using testing::nsight_export;
using testing::sum_of;
using testing::TemporaryFolder;
using NoteKind = TimelineNote::Kind;

class Kineto : public ::testing::Test {
 protected:
  EventTimeline read(const std::string& events) const {
    return import_profile(folder.write("trace.json", kineto_document(events)));
  }

  void expect_refused(const std::string& document, const std::string& words) const {
    const auto path = folder.write("trace.json", document);
    expect_error<InvalidInput>([&path] { (void)import_profile(path); }, words);
  }

  TemporaryFolder folder;
};

TEST_F(Kineto, NineteenDigitsAreExact) {
  const EventTimeline timeline = read(kineto_kernel("k", "1682725898236567.891", "30669.001"));
  ASSERT_EQ(timeline.events.size(), 1U);
  EXPECT_EQ(timeline.events[0].start_ns, 1'682'725'898'236'567'891);
  EXPECT_EQ(timeline.events[0].duration_ns, 30'669'001);
}

TEST_F(Kineto, CollectivesKeepTheirSplits) {
  const EventTimeline timeline = read(kineto_kernel(
      "ncclDevKernel_SendRecv",
      "1",
      "2",
      R"("Collective name":"all_to_allv","In msg nelems":100,"Out msg nelems":60,"Group size":2,)"
      R"("dtype":"BFloat16","In split size":"[70, 30]","Out split size":"[40, 20]",)"
      R"("Process Group Name":"3","Process Group Ranks":"[4, 5]","Seq":17)"));
  const TimelineEvent& event = timeline.events.at(0);
  const CollectiveDetail* detail = timeline.collective(event);
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(timeline.tables.names.text(detail->operation), "all_to_all");
  EXPECT_EQ(timeline.tables.names.text(detail->group), "3");
  EXPECT_EQ(detail->in_splits, (std::vector<std::int64_t>{70, 30}));
  EXPECT_EQ(detail->out_splits, (std::vector<std::int64_t>{40, 20}));
  EXPECT_EQ(detail->ranks, (std::vector<std::int32_t>{4, 5}));
  EXPECT_EQ(detail->sequence, 17);
  EXPECT_EQ(event.bytes, 200);
}

TEST_F(Kineto, CutSplitListsAreNotUsed) {
  const EventTimeline timeline = read(kineto_kernel(
      "ncclDevKernel_SendRecv",
      "1",
      "2",
      R"("Collective name":"all_to_allv","dtype":"Float","In split size":"[1, 2, ...]",)"
      R"("Out split size":"[1, 2, ...]")"));
  EXPECT_TRUE(timeline.collectives.at(0).has_cut_splits);
  EXPECT_TRUE(timeline.collectives.at(0).in_splits.empty());
  EXPECT_EQ(note_count(timeline, NoteKind::Lost, "split list cut"), 1);
}

TEST_F(Kineto, OperatorsAreCountedAndLeftOut) {
  const EventTimeline timeline = read(
      kineto_kernel("k", "1", "2") +
      R"(,{"ph":"X","cat":"cpu_op","name":"aten::mm","ts":1,"dur":5,"args":{"Input Dims":[[2,3]]}},)"
      R"({"ph":"f","cat":"ac2g","id":1,"ts":2})");
  EXPECT_EQ(timeline.events.size(), 1U);
  EXPECT_EQ(note_count(timeline, NoteKind::LeftOut, "cpu_op events"), 1);
  EXPECT_EQ(note_count(timeline, NoteKind::LeftOut, "ac2g events of phase f"), 1);
}

TEST_F(Kineto, NegativeDurationsAreLeftOutAndCounted) {
  const EventTimeline timeline =
      read(kineto_kernel("a", "10", "-3") + "," + kineto_kernel("b", "20", "3"));
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), (KindSum{1, 3000}));
  EXPECT_EQ(note_count(timeline, NoteKind::Repaired, "kernel of negative duration: left out"), 1);
}

TEST_F(Kineto, RanksAreTakenFromTheTraceThenTheName) {
  EXPECT_EQ(read(kineto_kernel("k", "1", "2")).tables.processes.at(0).rank, 0);
  const auto unnamed = R"({"traceEvents":[)" + kineto_kernel("k", "1", "2") + "]}";
  const EventTimeline timeline = import_profile(folder.write("job-rank_12.json", unnamed));
  EXPECT_EQ(timeline.tables.processes.at(0).rank, 12);
  EXPECT_EQ(note_count(timeline, NoteKind::Doubtful, "rank taken from the file's name"), 1);
  EXPECT_EQ(
      import_profile(folder.path() / "job-rank_12.json", {{"rank", 3}}).tables.processes[0].rank,
      3);
}

TEST_F(Kineto, AFolderIsAJob) {
  (void)folder.write("job/rank0.json", kineto_document(kineto_kernel("k", "1", "2"), 0, 4));
  (void)folder.write_gzip("job/rank1.json.gz", kineto_document(kineto_kernel("k", "1", "3"), 1, 4));
  (void)folder.write("job/read_me.txt", "not a trace");
  const EventTimeline timeline = import_profile(folder.path() / "job");
  ASSERT_EQ(timeline.tables.processes.size(), 2U);
  EXPECT_EQ(timeline.events.at(1).process, 1);
  EXPECT_EQ(note_count(timeline, NoteKind::Doubtful, "ranks of 4 are missing"), 2);
  EXPECT_EQ(note_count(timeline, NoteKind::LeftOut, "file of another format"), 1);
  (void)folder.write("job/copy.json", kineto_document(kineto_kernel("k", "1", "2"), 1, 4));
  expect_error<InvalidInput>([this] { (void)import_profile(folder.path() / "job"); },
                             "rank 1 is in both copy.json and rank1.json.gz");
}

TEST_F(Kineto, CutFilesAreRefused) {
  const std::string whole = kineto_document(kineto_kernel("k", "1", "2"));
  for (const std::size_t size : {whole.size() - 1, whole.size() - 20, whole.size() / 2 + 30}) {
    expect_refused(whole.substr(0, size), "the JSON ends too early");
  }
  const auto packed = folder.write_gzip("trace.json.gz", whole);
  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) - 9);
  expect_error<InvalidInput>([&packed] { (void)import_profile(packed); },
                             "the gzip data ends too early");
}

TEST_F(Kineto, DuplicateKeysAreRefused) {
  expect_refused(kineto_document(R"({"ph":"X","cat":"kernel","name":"k","ts":1,"ts":2,"dur":3})"),
                 "the key \"ts\" is twice in one event");
  expect_refused(kineto_document(kineto_kernel("k", "1", "2", R"("stream":8)")),
                 "the key \"stream\" is twice in one event");
  expect_refused(R"({"traceEvents":[],"traceEvents":[]})", "\"traceEvents\" is there twice");
}

TEST_F(Kineto, WhatIsNoTraceIsRefused) {
  expect_refused(R"({"traceEvents":[]})", "an empty trace");
  expect_refused(kineto_document(kineto_kernel("k", "\"soon\"", "2")),
                 "\"ts\" is \"soon\": wanted microseconds");
  expect_refused(kineto_document(kineto_kernel("k", "99999999999999999999", "2")),
                 "within the range of 64-bit nanoseconds");
  expect_refused(kineto_document(R"({"ph":"X","cat":"kernel","name":"k","ts":1})"),
                 "a kernel event without \"dur\"");
  expect_refused(R"({"traceEvents":[)" + kineto_kernel("k", "1", "2") + "]} x", "no valid JSON: ");
  expect_refused(kineto_document(kineto_kernel("k\xff", "1", "2")), "a name is no valid UTF-8");
  expect_refused(R"({"traceEvents":[{"ph":"X",,}]})", "offset");
  expect_refused(kineto_document(kineto_kernel("k",
                                               "1",
                                               "2",
                                               R"("Collective name":"all_to_allv",)"
                                               R"("In split size":"[4, many]")")),
                 "holds something else than numbers");
}

TEST_F(Kineto, DeepNestingDoesNotExhaustTheStack) {
  expect_refused(R"({"traceEvents":[{"args":)" + std::string(2'000'000, '['), "ends too early");
}

class Nsight : public ::testing::Test {
 protected:
  EventTimeline read(const std::string& sql = "") const {
    return import_profile(nsight_export(folder, sql));
  }

  void expect_refused(const std::string& sql, const std::string& words) const {
    const auto path = nsight_export(folder, sql);
    expect_error<InvalidInput>([&path] { (void)import_profile(path); }, words);
  }

  TemporaryFolder folder;
};

TEST_F(Nsight, KernelsCallsRangesAndCopies) {
  const EventTimeline timeline = read();
  ASSERT_EQ(timeline.tables.processes.size(), 1U);
  EXPECT_EQ(timeline.tables.processes[0].process_id, 145);
  EXPECT_EQ(timeline.tables.processes[0].rank, 1);
  EXPECT_EQ(timeline.tables.processes[0].epoch_unix_ns, 1'779'782'330'176'752'435);
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), (KindSum{1, 2000}));
  EXPECT_EQ(sum_of(timeline, EventKind::PeerCopy), (KindSum{1, 100}));
  EXPECT_EQ(sum_of(timeline, EventKind::Range), (KindSum{1, 190}));
  EXPECT_EQ(timeline.name(timeline.events.at(0)), "deep_ep::intranode::dispatch<2>");
  EXPECT_EQ(timeline.events.at(0).correlation, 5);
  EXPECT_EQ(timeline.events.at(2).stream, 146);
  EXPECT_EQ(timeline.name(timeline.events.at(3)), "layer 4");
  EXPECT_EQ(note_count(timeline, NoteKind::LeftOut, "NVTX marks"), 1);
}

TEST_F(Nsight, OlderSchemasLackColumns) {
  const EventTimeline timeline = read(
      "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL DROP COLUMN correlationId;"
      "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL RENAME COLUMN demangledName TO shortName");
  EXPECT_EQ(timeline.events.at(0).correlation, -1);
  EXPECT_EQ(note_count(timeline, NoteKind::LeftOut, "CUPTI_ACTIVITY_KIND_KERNEL.correlationId"), 1);
}

TEST_F(Nsight, NeededColumnsAreNamed) {
  expect_refused("ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL RENAME COLUMN end TO finish",
                 "table CUPTI_ACTIVITY_KIND_KERNEL has no column end");
  expect_refused("ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL DROP COLUMN demangledName",
                 "has no column demangledName or shortName or mangledName");
}

TEST_F(Nsight, EmptyAndForeignDatabasesAreRefused) {
  expect_refused(
      "DELETE FROM CUPTI_ACTIVITY_KIND_KERNEL; DELETE FROM CUPTI_ACTIVITY_KIND_RUNTIME;"
      "DELETE FROM CUPTI_ACTIVITY_KIND_MEMCPY; DELETE FROM NVTX_EVENTS",
      "without any GPU event, call or range");
  expect_refused(
      "DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL; DROP TABLE CUPTI_ACTIVITY_KIND_RUNTIME;"
      "DROP TABLE CUPTI_ACTIVITY_KIND_MEMCPY; DROP TABLE NVTX_EVENTS",
      "no Nsight Systems export with GPU events");
}

TEST_F(Nsight, RowsThatCannotBeAreRefused) {
  expect_refused("UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET start = 'soon'",
                 "table CUPTI_ACTIVITY_KIND_KERNEL, row 1: \"soon\" is no whole number");
  expect_refused("UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET demangledName = 99",
                 "row 1: there is no string 99 in StringIds");
  const EventTimeline timeline = read("UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET end = 10");
  EXPECT_EQ(note_count(timeline, NoteKind::Repaired, "kernel that ends before it starts"), 1);
}

TEST_F(Nsight, LockedAndDamagedFilesAreRefused) {
  const auto path = nsight_export(folder);
  {
    const SqliteDatabase other(path, SqliteDatabase::Mode::Write, {});
    other.run("BEGIN EXCLUSIVE");
    expect_error<InvalidInput>(
        [&path] { (void)SqliteDatabase(path, SqliteDatabase::Mode::ReadOnly, {}).tables(); },
        "is locked by another program");
  }
  // What the program asks of every SQLite file before it chooses a reader.
  std::filesystem::resize_file(path, 4096 * 3);
  expect_error<InvalidInput>([&path] { (void)is_timeline_file(path); }, "is damaged");
}

TEST(NsysStats, ColumnsAreFoundByTheirTitles) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "kernels.csv",
      "Processing [job.sqlite] with [cuda_gpu_kern_sum.py]...\n"
      "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name\n"
      "60.0,1200,4,300.0,290.5,250,400,10.1,\"void gemm<float, 4>(int)\"\n");
  const EventTimeline timeline = import_profile(path);
  ASSERT_EQ(timeline.tables.summaries.size(), 1U);
  const EventSummary& summary = timeline.tables.summaries[0];
  EXPECT_EQ(timeline.tables.names.text(summary.name), "void gemm<float, 4>(int)");
  EXPECT_EQ(summary.count, 4);
  EXPECT_EQ(summary.total_ns, 1200);
  EXPECT_EQ(summary.max_ns, 400);
}

TEST(NsysStats, UnitsAreReadFromTheTitle) {
  const TemporaryFolder folder;
  const auto path = folder.write("k.csv", "Name,Calls,Total Time (ms)\ngemm,2,1.5\n");
  EXPECT_EQ(import_profile(path).tables.summaries.at(0).total_ns, 1'500'000);
  (void)folder.write("k.csv", "Name,Calls,Total Time (ms)\ngemm,2\n");
  expect_error<InvalidInput>([&path] { (void)import_profile(path); },
                             "line 2: 2 fields where the header has 3");
  (void)folder.write("k.csv", "Name,Calls,Total Time (ms)\ngemm,2,-1\n");
  expect_error<InvalidInput>([&path] { (void)import_profile(path); }, "is no count or time");
}

constexpr const char* kInspectorLine =
    R"({"header":{"id":"0x7f","rank":2,"n_ranks":8,"nnodes":1},)"
    R"("metadata":{"inspector_output_format_version":"v4.0","dump_timestamp_us":1748030377748202,)"
    R"("hostname":"node3","pid":99},)"
    R"("p2p_perf":{"p2p":"Send","p2p_sn":4,"p2p_peer":5,"p2p_msg_size_bytes":65536,)"
    R"("p2p_exec_time_us":110,"p2p_timing_source":"kernel_gpu"}})";

TEST(NcclInspector, SendsAreMessagesBetweenRanks) {
  const TemporaryFolder folder;
  const EventTimeline timeline = import_profile(folder.write("a.log", kInspectorLine));
  const TimelineEvent& event = timeline.events.at(0);
  EXPECT_EQ(event.kind, EventKind::Communication);
  EXPECT_EQ(event.bytes, 65536);
  EXPECT_EQ(event.duration_ns, 110'000);
  EXPECT_EQ(event.end_ns(), 1'748'030'377'748'202'000);
  const CollectiveDetail* detail = timeline.collective(event);
  EXPECT_EQ(detail->source_rank, 2);
  EXPECT_EQ(detail->destination_rank, 5);
  EXPECT_EQ(timeline.tables.processes.at(0).rank, 2);
  EXPECT_EQ(note_count(timeline, NoteKind::Doubtful, "order and gaps are not measured"), 1);
}

TEST(NcclInspector, MissingAndWrongValuesAreNamed) {
  const TemporaryFolder folder;
  std::string line = kInspectorLine;
  line.replace(line.find("\"p2p_peer\":5"), 12, "\"p2p_peer\":\"x\"");
  const auto path = folder.write("a.log", line);
  expect_error<InvalidInput>([&path] { (void)import_profile(path); },
                             "p2p_perf/p2p_peer is no whole number: \"x\"");
  (void)folder.write("a.log", std::string(kInspectorLine) + "\n{\"header\":");
  expect_error<InvalidInput>([&path] { (void)import_profile(path); }, "line 2");
}

constexpr const char* kTestsOutput =
    "# Collective test starting: alltoall_perf\n"
    "# nThread 1 nGpus 2 minBytes 1024 maxBytes 2048 step: 2(factor)\n"
    "#  Rank  0 Group  0 Pid   6899 on node0 device  0 [0000:04:00] NVIDIA H100 80GB HBM3\n"
    "#  Rank  1 Group  0 Pid   6899 on node0 device  1 [0000:05:00] NVIDIA H100 80GB HBM3\n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time"
    "   algbw   busbw #wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)"
    "  (GB/s)  (GB/s)\n"
    "        1024           128     float    none      -1    31.25    0.03    0.02      0    30.10"
    "    0.03    0.02    N/A\n"
    "        2048           256     float    none      -1    31.50    0.07    0.03      0    30.20"
    "    0.07    0.03    N/A\n"
    "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 0.025\n";

TEST(NcclTests, RowsGiveTimesOutOfPlaceAndInPlace) {
  const TemporaryFolder folder;
  const EventTimeline timeline = import_profile(folder.write("out.txt", kTestsOutput));
  ASSERT_EQ(timeline.tables.timings.size(), 4U);
  const CollectiveTiming& timing = timeline.tables.timings[2];
  EXPECT_EQ(timeline.tables.names.text(timing.operation), "all_to_all");
  EXPECT_EQ(timing.ranks, 2);
  EXPECT_EQ(timing.bytes, 2048);
  EXPECT_DOUBLE_EQ(timing.time_ns, 31500);
  EXPECT_DOUBLE_EQ(timing.bus_bandwidth, 3e7);
  EXPECT_FALSE(timing.is_in_place);
  EXPECT_EQ(timing.wrong, 0);
  EXPECT_TRUE(timeline.tables.timings[3].is_in_place);
}

TEST(NcclTests, RowsMayBeOfOneRank) {
  const TemporaryFolder folder;
  const auto path = folder.write("alltoallv_perf.txt",
                                 "# rank size count type redop root time algbw busbw #wrong\n"
                                 "0 1024 128 float none -1 31.25 0.03 0.02 0\n"
                                 "1 4096 512 float none -1 40.00 0.10 0.09 2\n");
  const EventTimeline timeline = import_profile(path);
  EXPECT_EQ(timeline.tables.timings.at(1).rank, 1);
  EXPECT_EQ(timeline.tables.timings.at(1).bytes, 4096);
  EXPECT_EQ(note_count(timeline, NoteKind::Doubtful, "results were wrong"), 1);
}

TEST(NcclTests, MixedLinesAreRefused) {
  const TemporaryFolder folder;
  std::string text = kTestsOutput;
  text.insert(text.find("        2048"), "        2048           256     float\n");
  const auto path = folder.write("out.txt", text);
  expect_error<InvalidInput>([&path] { (void)import_profile(path); },
                             "line 8: 3 columns where the header has 13");
}

}  // namespace
}  // namespace switchyard

// Public profiles, against sums that this file makes itself: with a JSON document in memory, and
// with plain SQL.
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/sqlite.hpp"
#include "core/files/text_reader.hpp"
#include "profiler/timeline_file.hpp"
#include "tests/support/profiles.hpp"
#include "tests/support/real_data.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::import_profile;
using testing::KindSum;
using testing::sum_of;

// What the document itself says of a category. Durations have three decimals at most.
KindSum document_sum(const json& document, const std::string& category) {
  KindSum sum;
  for (const json& event : document["traceEvents"]) {
    if (event.value("ph", "") == "X" && event.value("cat", "") == category) {
      sum.count += 1;
      sum.time_ns += std::llround(event["dur"].get<double>() * 1000);
    }
  }
  return sum;
}

void expect_same_sums(const std::filesystem::path& path) {
  const json document = json::parse(read_text_file(path));
  const EventTimeline timeline = import_profile(path);
  EXPECT_GT(document_sum(document, "kernel").count, 0);
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), document_sum(document, "kernel"));
  EXPECT_EQ(sum_of(timeline, EventKind::Memcpy), document_sum(document, "gpu_memcpy"));
  EXPECT_EQ(sum_of(timeline, EventKind::Memset), document_sum(document, "gpu_memset"));
  EXPECT_EQ(sum_of(timeline, EventKind::Range), document_sum(document, "user_annotation"));
  EXPECT_EQ(sum_of(timeline, EventKind::DeviceRange),
            document_sum(document, "gpu_user_annotation"));
  const KindSum runtime = document_sum(document, "cuda_runtime");
  const KindSum driver = document_sum(document, "cuda_driver");
  EXPECT_EQ(sum_of(timeline, EventKind::ApiCall),
            (KindSum{runtime.count + driver.count, runtime.time_ns + driver.time_ns}));
  EXPECT_EQ(timeline.tables.processes.at(0).rank, document["distributedInfo"]["rank"].get<int>());
}

TEST(RealProfiles, HtaRank0) {
  SWITCHYARD_REAL_DATA(path, "profiler/kineto/hta_128rank_a2a_rank0.json.gz");
  expect_same_sums(path);
  EXPECT_EQ(sum_of(import_profile(path), EventKind::Kernel), (KindSum{1154, 606'519'000}));
}

TEST(RealProfiles, HtaRank1) {
  SWITCHYARD_REAL_DATA(path, "profiler/kineto/hta_128rank_a2a_rank1.json.gz");
  expect_same_sums(path);
}

TEST(RealProfiles, NcclArguments) {
  SWITCHYARD_REAL_DATA(path, "profiler/kineto/hta_nccl_collective_args_a100_2rank.json.gz");
  expect_same_sums(path);
  const EventTimeline timeline = import_profile(path);
  const json document = json::parse(read_text_file(path));
  std::int64_t elements = 0;
  std::int64_t count = 0;
  for (const json& event : document["traceEvents"]) {
    if (event.value("cat", "") == "kernel" && event["args"].contains("Collective name")) {
      elements += event["args"]["In msg nelems"].get<std::int64_t>();
      count += 1;
    }
  }
  std::int64_t read = 0;
  for (const CollectiveDetail& detail : timeline.collectives) {
    read += detail.in_elements;
    EXPECT_EQ(detail.ranks, (std::vector<std::int32_t>{0, 1}));
  }
  EXPECT_EQ(std::ssize(timeline.collectives), count);
  EXPECT_EQ(read, elements);
}

TEST(RealProfiles, VllmMoe) {
  SWITCHYARD_REAL_DATA(path, "profiler/kineto/tracelens_vllm_moe_b200_eager.json.gz");
  expect_same_sums(path);
}

std::int64_t answer(const SqliteDatabase& database, const std::string& sql) {
  SqliteStatement query(database, sql);
  return query.step() ? query.integer(0) : -1;
}

void expect_same_as_sql(const std::filesystem::path& path, bool has_ranges) {
  const SqliteDatabase database(path, SqliteDatabase::Mode::ReadOnly, {path.string(), ""});
  const EventTimeline timeline = import_profile(path);
  const auto sum = [&](const std::string& table) {
    return KindSum{answer(database, "SELECT count(*) FROM " + table),
                   answer(database, "SELECT sum(end - start) FROM " + table)};
  };
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), sum("CUPTI_ACTIVITY_KIND_KERNEL"));
  EXPECT_EQ(sum_of(timeline, EventKind::Memcpy), sum("CUPTI_ACTIVITY_KIND_MEMCPY"));
  EXPECT_EQ(sum_of(timeline, EventKind::ApiCall), sum("CUPTI_ACTIVITY_KIND_RUNTIME"));
  EXPECT_EQ(sum_of(timeline, EventKind::Synchronisation),
            sum("CUPTI_ACTIVITY_KIND_SYNCHRONIZATION"));
  if (has_ranges) {
    EXPECT_EQ(sum_of(timeline, EventKind::Range), sum("NVTX_EVENTS"));
  }
  std::int64_t bytes = 0;
  for (const TimelineEvent& event : timeline.events) {
    bytes += event.kind == EventKind::Memcpy ? event.bytes : 0;
  }
  EXPECT_EQ(bytes, answer(database, "SELECT sum(bytes) FROM CUPTI_ACTIVITY_KIND_MEMCPY"));
}

TEST(RealProfiles, NsightTwoGpus) {
  SWITCHYARD_REAL_DATA(path, "profiler/nsys/mfu_2gpu_before.sqlite");
  expect_same_as_sql(path, true);
  const EventTimeline timeline = import_profile(path);
  ASSERT_EQ(timeline.tables.processes.size(), 2U);
  EXPECT_EQ(timeline.tables.processes[0].rank + timeline.tables.processes[1].rank, 1);
}

TEST(RealProfiles, NsightMinimal) {
  SWITCHYARD_REAL_DATA(path, "profiler/nsys/rtx3080_minimal.sqlite");
  expect_same_as_sql(path, false);
  EXPECT_EQ(import_profile(path).tables.devices.at(0).name, "NVIDIA GeForce RTX 3080");
}

TEST(RealProfiles, KernelSummary) {
  SWITCHYARD_REAL_DATA(path, "profiler/nsys/a100_vllm_kernels_summary.csv");
  const EventTimeline timeline = import_profile(path);
  KindSum read;
  for (const EventSummary& summary : timeline.tables.summaries) {
    read.time_ns += summary.total_ns;
    read.count += summary.count;
  }
  // Names hold commas, so that columns are counted from the right: of eleven, the third is the
  // count and the fourth the total.
  KindSum expected;
  TextReader reader(path);
  std::string_view line;
  (void)reader.next(line);
  while (reader.next(line)) {
    std::vector<std::string> fields;
    for (int i = 0; i < 9; ++i) {
      const std::size_t comma = line.rfind(',');
      fields.emplace_back(line.substr(comma + 1));
      line = line.substr(0, comma);
    }
    expected.time_ns += std::stoll(fields[7]);
    expected.count += std::stoll(fields[8]);
  }
  EXPECT_EQ(read, expected);
}

TEST(RealProfiles, CuptiSampleTrace) {
  SWITCHYARD_REAL_DATA(path, "profiler/cupti/cupti_trace_injection_chrome.json");
  const json document = json::parse(read_text_file(path));
  const EventTimeline timeline = import_profile(path);
  EXPECT_EQ(sum_of(timeline, EventKind::Kernel), document_sum(document, "GPU_Kernel"));
  EXPECT_EQ(sum_of(timeline, EventKind::Memcpy), document_sum(document, "MemCopy"));
}

}  // namespace
}  // namespace switchyard

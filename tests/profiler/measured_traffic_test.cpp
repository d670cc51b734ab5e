#include "profiler/measured_traffic.hpp"

#include <gtest/gtest.h>

#include "profiler/timeline_file.hpp"
#include "tests/support/profiles.hpp"
#include "tests/support/small_timeline.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using testing::import_profile;
using testing::small_timeline;
using testing::TemporaryFolder;

TEST(MeasuredTraffic, SplitListsAreRowsOfTheMatrix) {
  const MeasuredTraffic traffic = measured_traffic(small_timeline());
  ASSERT_EQ(traffic.bytes.rows(), 2U);
  EXPECT_EQ(traffic.bytes(0, 0), 60);
  EXPECT_EQ(traffic.bytes(0, 1), 20);
  EXPECT_EQ(traffic.bytes(1, 0), 60);
  EXPECT_EQ(traffic.messages, 2);
}

TEST(MeasuredTraffic, MessagesCountOnce) {
  const TemporaryFolder folder;
  const auto line = [](int rank, const char* operation, int peer, int bytes) {
    return R"({"header":{"id":"1","rank":)" + std::to_string(rank) +
           R"(,"n_ranks":3,"nnodes":1},"metadata":{"inspector_output_format_version":"v4.0",)"
           R"("dump_timestamp_us":1000,"hostname":"n","pid":)" +
           std::to_string(rank) + R"(},"p2p_perf":{"p2p":")" + operation +
           R"(","p2p_sn":1,"p2p_peer":)" + std::to_string(peer) + R"(,"p2p_msg_size_bytes":)" +
           std::to_string(bytes) + R"(,"p2p_exec_time_us":5}})" + "\n";
  };
  const auto path = folder.write(
      "a.log", line(0, "Send", 1, 100) + line(1, "Recv", 0, 100) + line(1, "Recv", 2, 7));
  const MeasuredTraffic traffic = measured_traffic(import_profile(path));
  EXPECT_EQ(traffic.bytes(0, 1), 100);
  EXPECT_EQ(traffic.bytes(2, 1), 7);
  EXPECT_EQ(traffic.messages, 2);
}

TEST(MeasuredTraffic, AllToAllsWithoutSplitsAreCounted) {
  EventTimeline timeline = small_timeline();
  timeline.collectives[1].in_splits.clear();
  const MeasuredTraffic traffic = measured_traffic(timeline);
  EXPECT_EQ(traffic.without_peer, 1);
  EXPECT_EQ(traffic.bytes(1, 0), 0);
}

// What `profile` leaves: a folder with one native file a rank.
TEST(NativeTimelines, AFolderIsAJob) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "job");
  for (std::uint16_t rank = 0; rank < 2; ++rank) {
    const EventTimeline whole = small_timeline();
    EventTimeline part;
    part.tables.format = "cupti";
    part.tables.processes.push_back(whole.tables.processes[rank]);
    (void)part.intern("only rank " + std::to_string(rank));
    for (TimelineEvent event : whole.events) {
      if (event.process == rank) {
        event.process = 0;
        event.name = part.intern(whole.name(event));
        if (event.collective >= 0) {
          CollectiveDetail detail = *whole.collective(event);
          detail.operation = part.intern("all_to_all");
          detail.data_type = part.intern("bfloat16");
          detail.group = part.intern("0");
          event.collective = part.add(detail);
        }
        part.add(event);
      }
    }
    write_timeline(
        part, folder.path() / "job" / ("rank" + std::to_string(rank) + ".sqlite"), false);
  }
  const EventTimeline job = import_profile(folder.path() / "job");
  const EventTimeline whole = small_timeline();
  ASSERT_EQ(job.events.size(), whole.events.size());
  EXPECT_EQ(job.tables.processes, whole.tables.processes);
  for (std::size_t i = 0; i < job.events.size(); ++i) {
    EXPECT_EQ(job.name(job.events[i]), whole.name(whole.events[i]));
    EXPECT_EQ(job.events[i].process, whole.events[i].process);
    EXPECT_EQ(job.events[i].collective, whole.events[i].collective);
  }
  EXPECT_EQ(measured_traffic(job).bytes, measured_traffic(whole).bytes);
}

}  // namespace
}  // namespace switchyard

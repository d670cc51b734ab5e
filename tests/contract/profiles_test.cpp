// What every importer of profiles promises. A new one adds a tiny file of its format to
// `profile_samples()` and is held to all of it.
#include "tests/support/profiles.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "profiler/activities/activity_spool.hpp"
#include "profiler/timeline_file.hpp"
#include "profiler/timeline_importer.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_timeline.hpp"

namespace switchyard {
namespace {

using testing::import_profile;
using testing::TemporaryFolder;

using MakeSample = std::function<std::filesystem::path(const TemporaryFolder&)>;

MakeSample text_file(const std::string& content) {
  return [content](const TemporaryFolder& folder) { return folder.write("sample", content); };
}

std::filesystem::path spool_file(const TemporaryFolder& folder) {
  const auto path = folder.path() / "sample";
  std::filesystem::remove(path);
  SpoolWriter writer(path);
  writer.write_owner({.process_id = 7, .rank = 2, .host = "n", .command = "app"});
  ActivityLog log;
  log.names = {"dispatch"};
  log.records.resize(1);
  log.records[0].start = 100;
  log.records[0].end = 130;
  log.records[0].name = 0;
  writer.take(log);
  return path;
}

const std::map<std::string, MakeSample>& profile_samples() {
  static const std::map<std::string, MakeSample> kAll{
      {"cupti_spool", spool_file},
      {"kineto", text_file(testing::kineto_document(testing::kineto_kernel("k", "1", "2")))},
      {"native_timeline",
       [](const TemporaryFolder& folder) {
         write_timeline(testing::small_timeline(), folder.path() / "sample", true);
         return folder.path() / "sample";
       }},
      {"nccl_inspector",
       text_file(
           R"({"header":{"id":"1","rank":0,"n_ranks":2,"nnodes":1},"metadata":)"
           R"({"inspector_output_format_version":"v4.0","dump_timestamp_us":1000,"hostname":"n",)"
           R"("pid":1},"coll_perf":{"coll":"AllReduce","coll_sn":1,"coll_msg_size_bytes":8,)"
           R"("coll_exec_time_us":5}})"
           "\n")},
      {"nccl_tests",
       text_file("# ./alltoall_perf -g 2\n# size count type redop root time algbw busbw #wrong\n"
                 "1024 128 float none -1 31.25 0.03 0.02 0\n")},
      {"nsight_systems",
       [](const TemporaryFolder& folder) { return testing::nsight_export(folder); }},
      {"nsys_stats", text_file("Name,Calls,Total Time (ns)\ngemm,2,1500\n")},
  };
  return kAll;
}

class ProfileContract : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path sample() const { return profile_samples().at(GetParam())(folder); }

  // Reads with this importer, whatever others say.
  static EventTimeline read(const std::filesystem::path& path) {
    Parameters defaults = Parameters::describing();
    EventTimeline timeline;
    import_timeline(
        *Registry<TimelineImporter>::instance().create(GetParam(), "importer", defaults),
        path,
        timeline,
        {});
    return timeline;
  }

  TemporaryFolder folder;
};

TEST_P(ProfileContract, HasASample) {
  EXPECT_TRUE(profile_samples().contains(GetParam()))
      << "add one to profile_samples() in this file";
}

TEST_P(ProfileContract, AloneRecognisesItsFormat) {
  EXPECT_EQ(matching_timeline_importers(sample()), std::vector<std::string>{GetParam()});
}

TEST_P(ProfileContract, GivesWhatAFileCanHold) {
  const EventTimeline timeline = read(sample());
  EXPECT_FALSE(timeline.tables.processes.empty());
  EXPECT_FALSE(timeline.tables.format.empty());
  EXPECT_FALSE(timeline.events.empty() && timeline.tables.summaries.empty() &&
               timeline.tables.timings.empty());
  const auto path = folder.path() / "copy.timeline";
  write_timeline(timeline, path, false);
  EXPECT_EQ(read_timeline(path).events, timeline.events);
}

TEST_P(ProfileContract, RefusesEmptyAndMissingFiles) {
  EXPECT_THROW((void)read(folder.write("empty", "")), InvalidInput);
  EXPECT_THROW((void)read(folder.path() / "absent"), InvalidInput);
  EXPECT_TRUE(matching_timeline_importers(folder.write("other", "plain words")).empty());
}

// Cut anywhere, a file is refused or read up to the cut; it never brings the program down.
TEST_P(ProfileContract, SurvivesEveryCut) {
  std::ifstream whole(sample(), std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(whole), {}};
  const std::size_t stride = std::max<std::size_t>(1, content.size() / 97);
  for (std::size_t size = 1; size < content.size(); size += stride) {
    const auto path = folder.write("cut", content.substr(0, size));
    (void)matching_timeline_importers(path);
    try {
      (void)read(path);
    } catch (const InvalidInput&) {
      // What it should say.
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllProfiles,
                         ProfileContract,
                         ::testing::ValuesIn(Registry<TimelineImporter>::instance().names()),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace switchyard

// Perfetto drops events that overlap on a track and refuses JSON that is cut, so both are checked.
#include "report/files/timeline_file.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/files/json_file.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/small_result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::small_result;
using testing::TemporaryFolder;

const TimelineLinks kTwoLinks{{"gpu0->switch", "gpu1->switch"}, {1e9, 1e9}};

json write_small_timeline(const std::filesystem::path& path) {
  const SimulationResult result = small_result();
  const Schedule schedule;
  Timeline timeline;
  timeline.makespan_s = 0.002;
  timeline.link_bytes = {1e6, 5e5};
  TimelineFile file(path, false, kTwoLinks);
  double start_s = 0.001;
  for (const LayerResult& layer : result.layers) {
    for (const std::string name : {"dispatch", "combine"}) {
      file.add({.layer = layer.layer,
                .name = name,
                .start_s = start_s + (name == "combine" ? 0.004 : 0),
                .schedule = schedule,
                .timeline = timeline});
    }
    file.add(layer);
    start_s += 0.010;
  }
  file.finish(result);
  return read_json_file(path);
}

TEST(TimelineFile, IsValidJsonPlainAndCompressed) {
  const TemporaryFolder folder;
  const json plain = write_small_timeline(folder.path() / "t.json");
  const json compressed = write_small_timeline(folder.path() / "t.json.gz");
  EXPECT_EQ(plain, compressed);
  EXPECT_LT(std::filesystem::file_size(folder.path() / "t.json.gz"),
            std::filesystem::file_size(folder.path() / "t.json"));
  EXPECT_EQ(plain["otherData"]["scenario_hash"], "0123456789abcdef");
}

TEST(TimelineFile, NeverOverlapsEventsOfATrack) {
  const TemporaryFolder folder;
  const json document = write_small_timeline(folder.path() / "t.json");
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> tracks;
  for (const json& event : document["traceEvents"]) {
    if (event["ph"] == "X") {
      tracks[{event["pid"], event["tid"]}].emplace_back(event["ts"], event["dur"]);
    }
  }
  EXPECT_EQ(tracks.size(), 4U * 4U - 1U + 2U) << "rank 1, always last, never waits; two links";
  for (auto& [track, events] : tracks) {
    std::sort(events.begin(), events.end());
    for (std::size_t i = 1; i < events.size(); ++i) {
      // A tenth of a nanosecond for the decimal fractions of microseconds.
      EXPECT_LE(events[i - 1].first + events[i - 1].second, events[i].first + 1e-4)
          << "track " << track.second;
    }
  }
}

TEST(TimelineFile, NamesEveryTrackOnce) {
  const TemporaryFolder folder;
  const json document = write_small_timeline(folder.path() / "t.json");
  std::multiset<std::string> names;
  for (const json& event : document["traceEvents"]) {
    if (event["name"] == "thread_name") {
      names.insert(event["args"]["name"].get<std::string>());
    }
  }
  EXPECT_EQ(names.count("rank 2 dispatch"), 1U);
  EXPECT_EQ(names.count("gpu1->switch"), 1U);
  EXPECT_EQ(names.size(), 17U);
}

TEST(TimelineFile, ShowsALinkAsLongAsItsBytesTake) {
  const TemporaryFolder folder;
  const json document = write_small_timeline(folder.path() / "t.json");
  for (const json& event : document["traceEvents"]) {
    if (event["ph"] == "X" && event["pid"] == 2 && event["tid"] == 2) {
      EXPECT_EQ(event["dur"], 500.0) << "500 kB at 1 GB/s";
      EXPECT_EQ(event["args"]["utilisation"], 0.25);
    }
  }
}

TEST(TimelineFile, LeavesNothingBehindWhenTheRunFails) {
  const TemporaryFolder folder;
  {
    TimelineFile file(folder.path() / "t.json.gz", false, kTwoLinks);
    file.add(small_result().layers[0]);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  expect_error<InvalidInput>([&] { TimelineFile(folder.path() / "no" / "t.json", false, {}); },
                             "the folder does not exist");
}

}  // namespace
}  // namespace switchyard

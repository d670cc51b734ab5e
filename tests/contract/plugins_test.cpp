// "One file to add": every .cpp in a plug-in folder registers the name of its file. A file that
// does not would be compiled and never found.
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "kernels/router.hpp"
#include "profiler/timeline_importer.hpp"
#include "sim/all_to_all.hpp"
#include "sim/cache_policy.hpp"
#include "sim/capacity.hpp"
#include "sim/layer_schedule.hpp"
#include "sim/network/network.hpp"
#include "sim/overlap.hpp"
#include "sim/placement.hpp"
#include "tests/support/folders.hpp"
#include "topologies/topology_file.hpp"
#include "topologies/topology_format.hpp"
#include "traces/importer.hpp"

namespace switchyard {
namespace {

// Stems of the folder's .cpp files that hold a Register object, without `suffix`.
std::set<std::string> stems(const std::string& folder, const std::string& suffix) {
  std::set<std::string> found;
  const std::filesystem::path place = testing::source_folder() / folder;
  if (!std::filesystem::is_directory(place)) {
    return found;
  }
  for (const auto& entry : std::filesystem::directory_iterator(place)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".cpp" && stem.ends_with(suffix)) {
      found.insert(stem.substr(0, stem.size() - suffix.size()));
    }
  }
  return found;
}

template <class Interface>
std::set<std::string> registered() {
  const auto names = Registry<Interface>::instance().names();
  return {names.begin(), names.end()};
}

TEST(PluginFolders, HoldOneRegisteredComponentPerFile) {
  EXPECT_EQ(stems("sim/placement", ""), registered<PlacementRule>());
  EXPECT_EQ(stems("sim/capacity", ""), registered<CapacityPolicy>());
  EXPECT_EQ(stems("sim/all_to_all", ""), registered<AllToAll>());
  EXPECT_EQ(stems("sim/layer_schedule", ""), registered<LayerSchedule>());
  EXPECT_EQ(stems("sim/overlap", ""), registered<Overlap>());
  EXPECT_EQ(stems("sim/cache_policy", ""), registered<CachePolicy>());
  EXPECT_EQ(stems("sim/network", "_network"), registered<Network>());
  EXPECT_EQ(stems("kernels/routers", ""), registered<Router>());
  EXPECT_EQ(stems("traces/importers", ""), registered<Importer>());
  EXPECT_EQ(stems("profiler/importers", ""), registered<TimelineImporter>());
  EXPECT_EQ(stems("topologies/generators", ""), registered<TopologyGenerator>());
  EXPECT_EQ(stems("topologies/formats", ""), registered<TopologyFormat>());
}

}  // namespace
}  // namespace switchyard

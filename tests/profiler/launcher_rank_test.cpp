#include "profiler/activities/launcher_rank.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace switchyard::testing {
namespace {

LauncherRank rank_in(const std::map<std::string, std::string>& environment) {
  return find_launcher_rank([&environment](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(LauncherRank, KnowsTheUsualLaunchers) {
  EXPECT_EQ(rank_in({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}}).rank, 3);
  EXPECT_EQ(rank_in({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}}).world_size, 8);
  EXPECT_EQ(rank_in({{"PMI_RANK", "4"}}).rank, 4);
  EXPECT_EQ(rank_in({{"PMIX_RANK", "5"}}).rank, 5);
  EXPECT_EQ(rank_in({{"SLURM_PROCID", "6"}, {"SLURM_NTASKS", "16"}}).rank, 6);
  EXPECT_EQ(rank_in({{"FLUX_TASK_RANK", "7"}}).rank, 7);
  EXPECT_EQ(rank_in({{"RANK", "2"}}).rank, 2);
  EXPECT_EQ(rank_in({{"LOCAL_RANK", "1"}}).rank, 1);
}

TEST(LauncherRank, TakesTheInnermostLauncher) {
  // torchrun on each of two nodes, started by Slurm with one task a node.
  const LauncherRank rank = rank_in({{"SLURM_PROCID", "1"},
                                     {"SLURM_NTASKS", "2"},
                                     {"RANK", "11"},
                                     {"WORLD_SIZE", "16"},
                                     {"LOCAL_RANK", "3"}});
  EXPECT_EQ(rank.rank, 11);
  EXPECT_EQ(rank.world_size, 16);
  EXPECT_EQ(rank.variable, "RANK");
}

TEST(LauncherRank, PassesOverWhatIsNoNumber) {
  EXPECT_EQ(rank_in({{"OMPI_COMM_WORLD_RANK", "x"}, {"PMI_RANK", "4"}}).rank, 4);
  EXPECT_EQ(rank_in({{"RANK", "-1"}}).rank, -1);
  EXPECT_EQ(rank_in({{"RANK", "3.5"}}).rank, -1);
  EXPECT_EQ(rank_in({{"RANK", ""}}).rank, -1);
  EXPECT_EQ(rank_in({}).rank, -1);
  EXPECT_EQ(rank_in({}).variable, "");
}

}  // namespace
}  // namespace switchyard::testing

// Starts drawn from a distribution, and how a scenario says so.
#include "sim/network/start_spread.hpp"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/network/network.hpp"
#include "sim/replay/network_options.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

constexpr std::size_t kMany = 20000;

NetworkOptions options_of(const json& section) {
  Parameters parameters(section, {"scenario.json", "/network"});
  NetworkOptions options = read_network_options(parameters);
  parameters.finish();
  return options;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(StartSpread, DependsOnSeedAndRankAlone) {
  StartSpread spread{.shape = SpreadShape::Exponential, .scale = Seconds{1e-6}, .seed = 7};
  const std::vector<double> few = drawn_starts(spread, 8);
  const std::vector<double> many = drawn_starts(spread, 64);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  spread.seed = 8;
  EXPECT_NE(drawn_starts(spread, 8), few);
  EXPECT_EQ(drawn_starts({}, 3), std::vector<double>(3, 0.0));
}

TEST(StartSpread, HasTheMomentsOfItsDistribution) {
  const auto drawn = [](SpreadShape shape, double share = 0) {
    return drawn_starts({.shape = shape, .scale = Seconds{2}, .sigma = 0.5, .share = share}, kMany);
  };
  // Six standard errors.
  EXPECT_NEAR(mean(drawn(SpreadShape::Uniform)), 1, 6 * 0.58 / std::sqrt(kMany));
  EXPECT_LT(std::ranges::max(drawn(SpreadShape::Uniform)), 2);
  EXPECT_NEAR(mean(drawn(SpreadShape::Exponential)), 2, 6 * 2 / std::sqrt(kMany));
  std::vector<double> normal = drawn(SpreadShape::LogNormal);
  std::ranges::sort(normal);
  EXPECT_NEAR(normal[kMany / 2], 2, 6 * 1.26 / std::sqrt(kMany));
  EXPECT_NEAR(std::log(normal[kMany * 84134 / 100000] / 2), 0.5, 0.03);  // one sigma
  const std::vector<double> late = drawn(SpreadShape::Stragglers, 0.1);
  EXPECT_NEAR(mean(late), 0.2, 6 * 0.6 / std::sqrt(kMany));
  EXPECT_TRUE(std::ranges::all_of(late, [](double start) { return start == 0 || start == 2; }));
}

TEST(StartSpread, IsAddedToLaunchAndOffsets) {
  const NetworkOptions options = options_of(json::parse(R"({
    "launch_overhead": "3us", "start_offsets": ["1us", "0us"],
    "start_spread": {"distribution": "stragglers", "share": 1, "delay": "10us", "seed": 4}})"));
  const std::vector<double> entries = rank_entries(2, options);
  EXPECT_NEAR(entries[0], 14e-6, 1e-18);
  EXPECT_NEAR(entries[1], 13e-6, 1e-18);
}

TEST(StartOffsets, ComeFromAFileToo) {
  const testing::TemporaryFolder folder;
  const auto path = folder.write("offsets.txt", "# measured\n1us\n\n  250ns # rank 1\n");
  const NetworkOptions options = options_of({{"start_offsets", {{"file", path.string()}}}});
  ASSERT_EQ(options.start_offsets.size(), 2U);
  EXPECT_DOUBLE_EQ(options.start_offsets[1].count(), 250e-9);
}

TEST(StartOffsets, SayWhatIsWrong) {
  const auto refused = [](const json& section, const std::string& words) {
    expect_error<InvalidInput>([&] { (void)options_of(section); }, words);
  };
  refused({{"start_offsets", {"1us", 3}}}, "3 has no unit");
  refused({{"start_offsets", "1us"}}, "a list of durations, one per rank, or a file");
  refused({{"start_spread", {{"distribution", "expontial"}}}}, "did you mean \"exponential\"?");
  refused({{"start_spread", {{"distribution", "uniform"}, {"mean", "1us"}}}}, "mean");
  refused({{"start_spread", {{"distribution", "exponential"}, {"mean", 5}}}}, "unit");
  refused({{"start_spread", {{"distribution", "exponential"}, {"mean", "-5us"}}}}, "");
  const testing::TemporaryFolder folder;
  const auto path = folder.write("offsets.txt", "1us\n2\n");
  refused({{"start_offsets", {{"file", path.string()}}}}, "unit");
  const auto empty = folder.write("empty.txt", "# nothing\n");
  refused({{"start_offsets", {{"file", empty.string()}}}}, "holds no start offset");
  refused({{"start_offsets", {{"file", "/no/such/file"}}}}, "/no/such/file");
}

}  // namespace
}  // namespace switchyard

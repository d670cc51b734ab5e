// Fitting made-up measurements whose constants are known.
#include "profiler/calibration/fit.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/numbers/random.hpp"
#include "tests/support/expect_error.hpp"

namespace switchyard::testing {
namespace {

void set(ModelConstants& constants, Constant constant, double value) {
  constants[static_cast<std::size_t>(constant)] = value;
}

ModelConstants truth() {
  ModelConstants constants{};
  set(constants, Constant::Launch, 9e-6);
  set(constants, Constant::PerExpert, 15e-9);
  set(constants, Constant::ScaleUpRate, 240e9);
  set(constants, Constant::Overlap, 1.3);
  return constants;
}

const std::vector<Constant> kFree{
    Constant::Launch, Constant::PerExpert, Constant::ScaleUpRate, Constant::Overlap};

/// Powers of two of bytes over three numbers of experts, with `noise` of the given spread.
std::vector<FitPoint> points_with(double noise, std::uint64_t seed) {
  RandomStream random(seed, {1});
  std::vector<FitPoint> points;
  for (const double experts : {8.0, 128.0, 512.0}) {
    for (double bytes = 1e4; bytes < 1e9; bytes *= 2) {
      const ExchangeFeatures features{.ranks = 8,
                                      .nodes = 1,
                                      .experts = experts,
                                      .scale_up_bytes = bytes,
                                      .scale_up_link_rate = 450e9};
      points.push_back(
          {.features = features,
           .seconds = exchange_seconds(truth(), features) * std::exp(noise * random.normal())});
    }
  }
  return points;
}

double value(const FitResult& fit, Constant constant) {
  return fit.constants[static_cast<std::size_t>(constant)];
}

TEST(Fit, RecoversConstantsExactlyWithoutNoise) {
  const FitResult fit = fit_constants(points_with(0, 1), {.free = kFree});
  for (const Constant constant : kFree) {
    const double true_value = truth()[static_cast<std::size_t>(constant)];
    EXPECT_NEAR(value(fit, constant) / true_value, 1, 1e-4) << constant_info(constant).name;
  }
}

TEST(Fit, IntervalsHoldTheTruthAboutAsOftenAsTheySay) {
  int inside = 0;
  int total = 0;
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    const FitResult fit = fit_constants(points_with(0.03, seed), {.free = kFree, .starts = 4});
    for (const FittedConstant& fitted : fit.fitted) {
      const double true_value = truth()[static_cast<std::size_t>(fitted.constant)];
      inside += fitted.low <= true_value && true_value <= fitted.high ? 1 : 0;
      ++total;
    }
  }
  // 95 % of 100; at 86 or fewer the chance is below one in a thousand.
  EXPECT_GE(inside, 87) << "of " << total;
}

TEST(Fit, ResistsOutliers) {
  std::vector<FitPoint> points = points_with(0.01, 3);
  for (std::size_t i = 0; i < points.size(); i += 8) {
    points[i].seconds *= 2.5;  // a hiccup of the machine that was measured
  }
  const FitResult fit = fit_constants(points, {.free = kFree});
  EXPECT_NEAR(value(fit, Constant::Launch), 9e-6, 0.3e-6);
  EXPECT_NEAR(value(fit, Constant::ScaleUpRate), 240e9, 8e9);
}

TEST(Fit, SameSeedSameResult) {
  const auto points = points_with(0.05, 9);
  const FitResult one = fit_constants(points, {.free = kFree, .seed = 4});
  const FitResult other = fit_constants(points, {.free = kFree, .seed = 4});
  EXPECT_EQ(one.constants, other.constants);
}

TEST(Fit, SaysWhenTheRowsDoNotDetermineAConstant) {
  std::vector<FitPoint> points = points_with(0.01, 2);
  std::erase_if(points, [](const FitPoint& p) { return p.features.scale_up_bytes > 2e4; });
  // Everything is latency: the rate cannot be seen.
  const FitResult fit = fit_constants(
      points, {.free = {Constant::Launch, Constant::PerExpert, Constant::ScaleUpRate}});
  EXPECT_FALSE(fit.fitted[2].is_determined);
}

TEST(Fit, LeavesOutConstantsThatNothingVariesWith) {
  const std::vector<Constant> wanted{Constant::Launch,
                                     Constant::PerDoubling,
                                     Constant::PerExpert,
                                     Constant::ScaleUpRate,
                                     Constant::ScaleOutRate,
                                     Constant::SmRate,
                                     Constant::Overlap};
  EXPECT_EQ(determinable(wanted, points_with(0, 1)), kFree);
}

TEST(Fit, RefusesTooFewRowsAndImpossibleTimes) {
  std::vector<FitPoint> points = points_with(0, 1);
  points[5].seconds = -1;
  expect_error<InvalidInput>([&] { fit_constants(points, {.free = kFree}); }, "a measured time of");
  points.resize(3);
  expect_error<InvalidInput>([&] { fit_constants(points, {.free = kFree}); },
                             "3 rows are too few to fit 4 constants");
}

std::vector<Measurement> rows_of(std::size_t count) {
  std::vector<Measurement> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i].operation = i % 2 == 0 ? "a_dispatch" : "a_combine";
    rows[i].seconds = static_cast<double>(i + 1) * 1e-6;
    rows[i].columns["op"] = rows[i].operation;
  }
  return rows;
}

TEST(HoldOut, TakesTheShareFromEveryOperation) {
  const auto rows = rows_of(40);
  const std::vector<bool> held = held_out_rows(rows, "20%", 1);
  EXPECT_EQ(std::ranges::count(held, true), 8);
  int of_dispatch = 0;
  for (std::size_t i = 0; i < rows.size(); i += 2) {
    of_dispatch += held[i] ? 1 : 0;
  }
  EXPECT_EQ(of_dispatch, 4);
  EXPECT_EQ(held, held_out_rows(rows, "20%", 1));
  bool depends_on_seed = false;
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    depends_on_seed = depends_on_seed || held_out_rows(rows, "20%", seed) != held;
  }
  EXPECT_TRUE(depends_on_seed);
}

TEST(HoldOut, TakesAllRowsThatMatch) {
  const std::vector<bool> held = held_out_rows(rows_of(10), "op=a_combine", 1);
  EXPECT_EQ(std::ranges::count(held, true), 5);
  EXPECT_TRUE(held[1]);
}

TEST(HoldOut, RefusesNonsense) {
  const auto rows = rows_of(10);
  expect_error<InvalidInput>([&] { held_out_rows(rows, "120%", 1); }, "no share of the rows");
  expect_error<InvalidInput>([&] { held_out_rows(rows, "some%", 1); }, "no share of the rows");
  expect_error<InvalidInput>([&] { held_out_rows(rows, "op=b", 1); }, "no row has op = \"b\"");
  auto alike = rows;
  for (Measurement& row : alike) {
    row.columns["op"] = "x";
  }
  expect_error<InvalidInput>([&] { held_out_rows(alike, "op=x", 1); }, "holds out all 10 rows");
}

}  // namespace
}  // namespace switchyard::testing

// Statistics, random streams, suggestions and schema messages.
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/components/schema.hpp"
#include "core/components/suggestion.hpp"
#include "core/numbers/random.hpp"
#include "core/numbers/statistics.hpp"
#include "tests/support/expect_error.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

TEST(Statistics, HaveTheValuesOfTheirFormulas) {
  const std::vector<double> loads{1, 2, 3, 6};
  EXPECT_DOUBLE_EQ(imbalance(loads), 2.0);
  EXPECT_DOUBLE_EQ(coefficient_of_variation(loads), std::sqrt(3.5) / 3);
  EXPECT_DOUBLE_EQ(gini(loads), 16.0 / 48);
  EXPECT_DOUBLE_EQ(percentile(loads, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile(loads, 1), 6);
}

TEST(Statistics, CallNothingBalanced) {
  for (const std::vector<double>& loads : {std::vector<double>{}, {0, 0, 0}, {5, 5, 5}}) {
    EXPECT_DOUBLE_EQ(imbalance(loads), 1);
    EXPECT_DOUBLE_EQ(coefficient_of_variation(loads), 0);
    EXPECT_DOUBLE_EQ(gini(loads), 0);
    EXPECT_NEAR(normalised_entropy(loads), 1, 1e-15);  // rounding of log
  }
  EXPECT_DOUBLE_EQ(normalised_entropy(std::vector<double>{7, 0, 0}), 0);
}

TEST(RandomStream, GivesTheSameNumbersEverywhere) {
  RandomStream stream(42, {1, 2});
  // Fixed by the C++ standard's engine and Boost's distributions: a change here changes traces.
  EXPECT_EQ(stream.bits(), RandomStream(42, {1, 2}).bits());
  EXPECT_NE(RandomStream(42, {1, 2}).bits(), RandomStream(42, {2, 1}).bits());
  EXPECT_NE(RandomStream(42, {1}).bits(), RandomStream(43, {1}).bits());
}

TEST(RandomStream, HasTheMomentsOfItsDistributions) {
  RandomStream stream(7, {});
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.02);      // six standard errors
  EXPECT_NEAR(squares / kDraws, 1, 0.03);  // six standard errors
  EXPECT_LT(stream.index(5), 5U);
}

TEST(Suggestions, FindTheNearestName) {
  const std::vector<std::string> known{"hgx_h100_rail_64", "dgx_h100_8", "gb200_nvl72"};
  EXPECT_EQ(nearest_name("hgx_h100_rial_64", known), "hgx_h100_rail_64");
  EXPECT_EQ(nearest_name("zzz", known), std::nullopt);
  EXPECT_EQ(suggestion_hint("zzz", known), "known: hgx_h100_rail_64, dgx_h100_8, gb200_nvl72");
}

TEST(Schema, ListsEveryViolationWithItsPlace) {
  const json schema = json::parse(R"({
    "type": "object", "additionalProperties": false,
    "properties": {"name": {"type": "string"},
                   "links": {"type": "array", "items": {"type": "object", "additionalProperties": false,
                       "properties": {"bandwidth": {"type": "string"}}}}}})");
  const json good = json::parse(R"({"name": "x", "links": [{"bandwidth": "1Gbps"}]})");
  EXPECT_NO_THROW(check_schema(good, schema, {"t.json", ""}));
  const json bad = json::parse(R"({"nmae": "x", "links": [{"bandwidht": "1Gbps"}]})");
  expect_error<InvalidInput>(
      [&] {
        check_schema(bad, schema, {"t.json", ""});
      },
      "no such key \"bandwidht\" (did you mean \"bandwidth\"?)");
  expect_error<InvalidInput>(
      [&] {
        check_schema(bad, schema, {"t.json", ""});
      },
      "no such key \"nmae\" (did you mean \"name\"?)");
  expect_error<InvalidInput>([&] { check_schema(bad, schema, {"t.json", ""}); }, "t.json#/links/0");
}

}  // namespace
}  // namespace switchyard

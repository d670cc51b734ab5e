#include "core/components/parameters.hpp"

#include <array>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/components/registry.hpp"
#include "tests/support/expect_error.hpp"

namespace switchyard {
namespace {

using nlohmann::json;
using testing::expect_error;

const Location kWhere{"s.json", "#/router"};
constexpr Bounds<std::int64_t> kSmall{1, 10};

TEST(Parameters, AnswerTheValueOrTheDefault) {
  Parameters parameters(json{{"k", 4}, {"gap", "3us"}}, kWhere);
  EXPECT_EQ(parameters.get_integer("k", 2, kSmall, ""), 4);
  EXPECT_EQ(parameters.get_integer("other", 2, kSmall, ""), 2);
  EXPECT_DOUBLE_EQ(parameters.get_duration("gap", Seconds{0}, "").count(), 3e-6);
  EXPECT_NO_THROW(parameters.finish());
  EXPECT_EQ(parameters.resolved(), (json{{"k", 4}, {"other", 2}, {"gap", "3us"}}));
}

TEST(Parameters, RefuseSilentConversions) {
  for (const json& value : {json(8.7), json(true), json("8"), json(nullptr)}) {
    Parameters parameters(json{{"k", value}}, kWhere);
    expect_error<InvalidInput>([&] { parameters.get_integer("k", 2, kSmall, ""); },
                               "s.json#/router/k: wrong type: wanted an integer");
  }
  Parameters flag(json{{"on", 1}}, kWhere);
  EXPECT_THROW(flag.get_flag("on", false, ""), InvalidInput);
}

TEST(Parameters, RefuseBareQuantitiesAndValuesOutOfRange) {
  Parameters parameters(json{{"gap", 3}, {"k", 11}, {"x", -0.5}}, kWhere);
  expect_error<InvalidInput>([&] { parameters.get_duration("gap", Seconds{0}, ""); },
                             "3 has no unit\ntry \"3us\"");
  expect_error<InvalidInput>([&] { parameters.get_integer("k", 2, kSmall, ""); },
                             "11 is out of range\nallowed: 1 to 10");
  EXPECT_THROW(parameters.get_number("x", 0, {0, 1}, ""), InvalidInput);
}

TEST(Parameters, ReportWhatNobodyAskedFor) {
  Parameters parameters(json{{"topk", 4}}, kWhere);
  (void)parameters.get_integer("top_k", 2, kSmall, "");
  expect_error<InvalidInput>(
      [&] { parameters.finish(); },
      "s.json#/router/topk: no such parameter, value 4\ndid you mean \"top_k\"?");
}

TEST(Parameters, DescribeThemselves) {
  Parameters parameters = Parameters::describing();
  (void)parameters.require_integer("k", 8, kSmall, "experts kept");
  (void)parameters.get_flag("renormalise", true, "weights sum to one");
  constexpr std::array<std::string_view, 2> kKinds{"a", "b"};
  (void)parameters.get_choice("kind", "a", kKinds, "which");
  const auto& rows = parameters.descriptions();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].default_value, "required");
  EXPECT_EQ(rows[1].default_value, "true");
  EXPECT_EQ(rows[2].type, "a | b");
}

TEST(Parameters, NameAMissingOne) {
  Parameters parameters(json::object(), kWhere);
  expect_error<InvalidInput>([&] { parameters.require_text("link", "leaf0", "a link's name"); },
                             "missing parameter \"link\"");
}

TEST(Parameters, RefuseAnythingButAnObject) {
  EXPECT_THROW(Parameters(json::array(), kWhere), InvalidInput);
  EXPECT_NO_THROW(Parameters(json(), kWhere));
}

}  // namespace
}  // namespace switchyard

#include "profiler/decimal.hpp"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

TEST(ScaledDecimal, KeepsEveryDigit) {
  EXPECT_EQ(scaled_decimal("1682725898236567.891", 3), 1'682'725'898'236'567'891);
  EXPECT_EQ(scaled_decimal("9223372036854775807", 0), INT64_MAX);
  EXPECT_EQ(scaled_decimal("-3", 3), -3000);
  EXPECT_EQ(scaled_decimal("0.5e3", 3), 500'000);
  EXPECT_EQ(scaled_decimal("15E-1", 0), 2);
}

TEST(ScaledDecimal, RoundsWhatIsFiner) {
  EXPECT_EQ(scaled_decimal("1.0004", 3), 1000);
  EXPECT_EQ(scaled_decimal("1.0005", 3), 1001);
  EXPECT_EQ(scaled_decimal("-1.0005", 3), -1001);
  EXPECT_EQ(scaled_decimal("4e-1", 0), 0);
  EXPECT_EQ(scaled_decimal("5e-1", 0), 1);
  EXPECT_EQ(scaled_decimal("5e-2", 0), 0);
}

TEST(ScaledDecimal, RefusesTheRest) {
  for (const char* text : {"",
                           "-",
                           ".",
                           "1.2.3",
                           "12x",
                           "0x10",
                           "1e",
                           "1e999",
                           " 1",
                           "9223372036854775808",
                           "9223372036854775807.5"}) {
    EXPECT_EQ(scaled_decimal(text, 0), std::nullopt) << text;
  }
  EXPECT_EQ(scaled_decimal("9223372036854775.808", 3), std::nullopt);
}

}  // namespace
}  // namespace switchyard

#include "core/numbers/units.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace switchyard {
namespace {

using testing::expect_error;

TEST(Units, ReadTheUnitsOfTheField) {
  EXPECT_EQ(parse_bytes("64MiB").count, 64 * 1048576);
  EXPECT_EQ(parse_bytes(" 1.5 kB ").count, 1500);
  EXPECT_DOUBLE_EQ(parse_bandwidth("400Gbps").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("50GBps").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_duration("1.2us").count(), 1.2e-6);
  EXPECT_DOUBLE_EQ(parse_compute_rate("989TFLOPS").value, 989e12);
}

TEST(Units, RefuseBareNumbersAndSuggestAUnit) {
  expect_error<InvalidInput>(
      [] {
        (void)parse_bandwidth("400", {"x.json", "#/links/3"});
      },
      "x.json#/links/3: \"400\" has no unit\ntry \"400Gbps\"");
}

TEST(Units, RefuseWhatCannotBe) {
  for (const char* text : {"-1us", "nanus", "infs", "1e300s", "", "us", "5 parsecs", "0x10us"}) {
    EXPECT_THROW((void)parse_duration(text), InvalidInput) << text;
  }
  EXPECT_THROW((void)parse_bytes("0.5B"), InvalidInput);
  EXPECT_THROW((void)parse_bytes("9e18B"), InvalidInput);
}

TEST(Units, PrintTextsThatReadBackExactly) {
  for (const double rate : {50e9, 25e9 / 3, 1.0, 0.125, 123456789.0}) {
    const BytesPerSecond original{rate};
    EXPECT_EQ(parse_bandwidth(to_unit_string(original)).value, rate) << to_unit_string(original);
  }
  for (const double time : {1.2e-6, 3e-7, 1.0 / 3, 0.0}) {
    EXPECT_EQ(parse_duration(to_unit_string(Seconds{time})).count(), time);
  }
  EXPECT_EQ(to_unit_string(Bytes{64 * 1048576}), "64MiB");
}

TEST(Units, PrintThreeDigitsForPeople) {
  EXPECT_EQ(format_quantity(Seconds{0.0418}), "41.8 ms");
  EXPECT_EQ(format_quantity(Seconds{1.5e-9}), "1.50 ns");
  EXPECT_EQ(format_quantity(Bytes{1610612736}), "1.50 GiB");
  EXPECT_EQ(format_quantity(BytesPerSecond{50e9}), "50.0 GB/s");
}

}  // namespace
}  // namespace switchyard

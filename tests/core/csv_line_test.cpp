#include "core/files/csv_line.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace switchyard {
namespace {

using Fields = std::vector<std::string>;

TEST(CsvLine, SplitsAtCommasOutsideQuotes) {
  EXPECT_EQ(csv_fields("a,,c"), (Fields{"a", "", "c"}));
  EXPECT_EQ(csv_fields(""), Fields{""});
  EXPECT_EQ(csv_fields(R"csv("void f<a, b>(int)",2)csv"), (Fields{"void f<a, b>(int)", "2"}));
  EXPECT_EQ(csv_fields(R"("a ""quoted"" name",x)"), (Fields{R"(a "quoted" name)", "x"}));
}

TEST(CsvLine, RefusesAnOpenQuote) {
  EXPECT_FALSE(csv_fields(R"("open,2)"));
  testing::expect_error<InvalidInput>(
      [] {
        require_csv_fields(R"("open,2)", {"counts.csv", "line 7"});
      },
      "counts.csv: line 7: a quotation mark is not closed");
}

}  // namespace
}  // namespace switchyard

#include "report/svg_plot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Plot small_plot() {
  return {.title = "a < b & c",
          .x_label = "bytes",
          .y_label = "us",
          .series = {{.name = "n = 8",
                      .points = {{.x = 1e6, .measured = 30, .predicted = 31, .is_held_out = true},
                                 {.x = 1e3, .measured = 10, .predicted = 11}}}}};
}

TEST(SvgPlot, DrawsOneDotPerMeasurementAndOneLinePerSeries) {
  const std::string svg = plot_svg(small_plot());
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(svg, Not(HasSubstr("a < b")));
  std::size_t dots = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos;
       at = svg.find("<circle", at + 1)) {
    ++dots;
  }
  EXPECT_EQ(dots, 2U);
  EXPECT_EQ(svg, plot_svg(small_plot()));
}

TEST(SvgPlot, RefusesWhatALogarithmCannotShow) {
  Plot plot = small_plot();
  plot.series[0].points[0].measured = 0;
  EXPECT_THROW(static_cast<void>(plot_svg(plot)), InternalError);
}

}  // namespace
}  // namespace switchyard::testing

// Measured points and predicted lines on two logarithmic axes, as an SVG file small enough to keep
// beside a page of documentation.
#pragma once

#include <string>
#include <vector>

namespace switchyard {

struct PlotPoint {
  double x = 0;          // > 0
  double measured = 0;   // > 0
  double predicted = 0;  // > 0
  bool is_held_out = false;
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<PlotSeries> series;  // drawn in eight colours, told apart without colour too: each
                                   // line carries its name at its end
};

/// Measured values as dots (filled = fitted, hollow = held out), predicted ones as lines. Equal
/// plots give equal bytes. Throws InternalError for a value that a logarithmic axis cannot show.
std::string plot_svg(const Plot& plot);

}  // namespace switchyard

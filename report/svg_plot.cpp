#include "report/svg_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/check.hpp"

namespace switchyard {
namespace {

constexpr double kPlotWidth = 720;
constexpr double kHeight = 400;
constexpr double kLeft = 62;
constexpr double kLeastRight = 150;  // names of the series
constexpr double kLetterWidth = 6.2;
constexpr double kNameGap = 8;  // between a line's end and its name
constexpr double kTop = 34;
constexpr double kBottom = 46;
constexpr double kLeastGap = 13;  // between two names
// Okabe and Ito's palette, which colour-blind readers can tell apart.
constexpr std::array<const char*, 8> kColours{
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999"};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;

  void add(double value) {
    SWITCHYARD_CHECK(value > 0 && std::isfinite(value), "a logarithmic axis shows values above 0");
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// A logarithmic axis of whole powers of ten or, over less than two decades, of 1, 2 and 5.
class Axis {
 public:
  Axis(Range range, double start, double end) : start_(start), end_(end) {
    const double margin = std::pow(range.high / range.low, 0.04);
    low_ = std::log10(range.low / std::max(margin, 1.05));
    high_ = std::log10(range.high * std::max(margin, 1.05));
  }

  [[nodiscard]] double at(double value) const {
    return start_ + (std::log10(value) - low_) / (high_ - low_) * (end_ - start_);
  }

  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> ticks;
    const bool fine = high_ - low_ < 2.2;
    const int step = std::max(1, static_cast<int>((high_ - low_) / 8));
    for (int power = static_cast<int>(std::floor(low_)); power <= high_; ++power) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double tick = factor * std::pow(10.0, power);
        const bool wanted = factor == 1 ? power % step == 0 : fine;
        if (wanted && std::log10(tick) >= low_ && std::log10(tick) <= high_) {
          ticks.push_back(tick);
        }
      }
    }
    return ticks;
  }

 private:
  double low_ = 0;
  double high_ = 1;
  double start_;
  double end_;
};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string tick_text(double value) {
  constexpr std::array<std::pair<double, const char*>, 4> kSteps{
      {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}};
  for (const auto& [step, letter] : kSteps) {
    if (value >= step) {
      return fmt::format("{:g}{}", value / step, letter);
    }
  }
  return fmt::format("{:g}", value);
}

/// The end of the horizontal axis: the longest name of a series must fit beside it.
double right_end(const Plot& plot) {
  std::size_t letters = 0;
  for (const PlotSeries& series : plot.series) {
    letters = std::max(letters, series.name.size());
  }
  return kPlotWidth - std::max(kLeastRight, kNameGap + kLetterWidth * static_cast<double>(letters));
}

std::string frame(const Plot& plot, const Axis& x, const Axis& y) {
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" font-family=\"sans-serif\" font-size=\"11\" role=\"img\">\n"
      "<title>{2}</title>\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n"
      "<text x=\"{3}\" y=\"18\" font-size=\"13\" font-weight=\"bold\">{2}</text>\n",
      kPlotWidth,
      kHeight,
      escaped(plot.title),
      kLeft);
  const double bottom = kHeight - kBottom;
  const double right = right_end(plot);
  for (const double tick : x.ticks()) {
    text += fmt::format(
        "<path d=\"M{0:.1f} {1}V{2}\" stroke=\"#ddd\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4}</text>\n",
        x.at(tick),
        kTop,
        bottom,
        bottom + 15,
        tick_text(tick));
  }
  for (const double tick : y.ticks()) {
    text += fmt::format(
        "<path d=\"M{0} {1:.1f}H{2}\" stroke=\"#ddd\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5}</text>\n",
        kLeft,
        y.at(tick),
        right,
        kLeft - 6,
        y.at(tick) + 4,
        tick_text(tick));
  }
  text += fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n<text transform=\"rotate(-90)\" "
      "x=\"{}\" y=\"14\" text-anchor=\"middle\">{}</text>\n",
      (kLeft + right) / 2,
      kHeight - 12,
      escaped(plot.x_label),
      -(kTop + bottom) / 2,
      escaped(plot.y_label));
  return text;
}

/// Where each series' name goes: at the end of its line, pushed apart where ends are close.
std::vector<double> name_positions(const Plot& plot, const Axis& y) {
  std::vector<std::pair<double, std::size_t>> ends;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const auto& points = plot.series[i].points;
    const auto last = std::ranges::max_element(points, {}, &PlotPoint::x);
    ends.emplace_back(last == points.end() ? kTop : y.at(last->predicted), i);
  }
  std::ranges::sort(ends);
  std::vector<double> positions(ends.size());
  double next = kTop;
  for (const auto& [position, index] : ends) {
    positions[index] = std::max(position, next);
    next = positions[index] + kLeastGap;
  }
  return positions;
}

std::string series_text(const PlotSeries& series,
                        const Axis& x,
                        const Axis& y,
                        const char* colour,
                        double name_x,
                        double name_y) {
  std::vector<PlotPoint> points = series.points;
  std::ranges::stable_sort(points, {}, &PlotPoint::x);
  std::string path;
  std::string dots;
  for (const PlotPoint& point : points) {
    path += fmt::format(
        "{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(point.x), y.at(point.predicted));
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"{}/>",
                        x.at(point.x),
                        y.at(point.measured),
                        point.is_held_out ? "" : fmt::format(" fill=\"{}\"", colour));
  }
  return fmt::format(
      "<g stroke=\"{0}\" fill=\"none\"><path d=\"{1}\" stroke-width=\"1.3\"/><g "
      "fill=\"#fff\">{2}</g></g><text x=\"{3}\" y=\"{4:.1f}\" fill=\"{0}\">{5}</text>\n",
      colour,
      path,
      dots,
      name_x,
      name_y + 4,
      escaped(series.name));
}

}  // namespace

std::string plot_svg(const Plot& plot) {
  Range x_range;
  Range y_range;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      x_range.add(point.x);
      y_range.add(point.measured);
      y_range.add(point.predicted);
    }
  }
  SWITCHYARD_CHECK(x_range.high > 0, "a plot has at least one point");
  const double right = right_end(plot);
  const Axis x(x_range, kLeft, right);
  const Axis y(y_range, kHeight - kBottom, kTop);
  std::string text = frame(plot, x, y);
  const std::vector<double> positions = name_positions(plot, y);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    text += series_text(
        plot.series[i], x, y, kColours[i % kColours.size()], right + kNameGap, positions[i]);
  }
  return text + "</svg>\n";
}

}  // namespace switchyard

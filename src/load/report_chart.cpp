// The viewBox is small, so that text in it can still be read on a screen of 400 pixels.
#include "report_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr double width = 520;
constexpr double height = 300;
constexpr double left = 58;
constexpr double right = width - 32;  // half of the last label is beside it
constexpr double top = 12;
constexpr double bottom = height - 46;

double place(const Axis& axis, double value, double from, double to) {
  const double share = (value - axis.low) / (axis.high - axis.low);
  return from + (std::clamp(share, 0.0, 1.0) * (to - from));
}
double x_of(const Chart& chart, double value) { return place(chart.x, value, left, right); }
double y_of(const Chart& chart, double value) { return place(chart.y, value, bottom, top); }

std::string grid(const Chart& chart) {
  std::string text;
  for (const Tick& tick : chart.y.ticks) {
    const double y = y_of(chart, tick.at);
    text += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        left, y, right, y, left - 7, y + 4.5, escaped(tick.label));
  }
  for (const Tick& tick : chart.x.ticks) {
    const double x = x_of(chart, tick.at);
    text += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        x, top, x, bottom, x, bottom + 18, escaped(tick.label));
  }
  text += fmt::format(
      "<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left,
      bottom, right, bottom);
  return text + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                            (left + right) / 2, height - 8, escaped(chart.x.title));
}

std::string curve_svg(const Chart& chart, const Curve& curve) {
  const std::string style = fmt::format("c{}{}", curve.colour % 6, curve.dashed ? " dashed" : "");
  if (curve.points.size() == 1) {  // a line of one point would not be seen
    return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", style,
                       x_of(chart, curve.points[0].x), y_of(chart, curve.points[0].y));
  }
  std::string places;
  for (const Point& point : curve.points) {
    places += fmt::format("{}{:.1f},{:.1f}", places.empty() ? "" : " ", x_of(chart, point.x),
                          y_of(chart, point.y));
  }
  return fmt::format("<polyline class=\"{}\" points=\"{}\"><title>{}</title></polyline>\n", style,
                     places, escaped(curve.name));
}

std::string legend(const Chart& chart) {
  std::string text = "<p class=\"legend\">";
  for (const Curve& curve : chart.curves) {
    text += fmt::format(
        "<span><svg class=\"key\" viewBox=\"0 0 26 8\" aria-hidden=\"true\"><line class=\"c{}{}\" "
        "x1=\"0\" y1=\"4\" x2=\"26\" y2=\"4\"/></svg>{}</span>\n",
        curve.colour % 6, curve.dashed ? " dashed" : "", escaped(curve.name));
  }
  return text + "</p>\n";
}

/// 1, 2 or 5 times a power of ten, so that `high` has four to nine of them.
double round_step(double high) {
  constexpr double most_steps = 6;
  const double power = std::pow(10, std::floor(std::log10(high / most_steps)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power * most_steps >= high) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::string escaped(std::string_view text) {
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
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return result;
}

std::string chart_html(const Chart& chart) {
  std::string text = fmt::format("<figure>\n<figcaption>{}</figcaption>\n", escaped(chart.title));
  text += legend(chart);
  text += fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n",
      width, height, escaped(chart.title));
  text += grid(chart);
  for (const Curve& curve : chart.curves) {
    if (!curve.points.empty()) text += curve_svg(chart, curve);
  }
  return text + "</svg>\n</figure>\n";
}

Axis duration_axis(double low, double high) {
  // Half a decade at least, so that what is constant lies in the middle and not on an edge.
  const double lowest = std::log10(std::max(low, 1.0));
  const double highest = std::log10(std::max(high, 1.0));
  const double around = std::max(0.05, (0.5 - (highest - lowest)) / 2);
  const double from = lowest - around;
  const double to = highest + around;
  Axis axis{.low = from, .high = to, .ticks = {}, .title = ""};
  const bool only_decades = to - from > 3.5;
  for (int decade = static_cast<int>(std::floor(from)); decade <= to; ++decade) {
    for (const int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10, decade);
      const double at = std::log10(value);
      if (at < from || at > to || (only_decades && factor != 1)) continue;
      axis.ticks.push_back({at, duration_text(Duration(std::llround(value)))});
    }
  }
  return axis;
}

Axis linear_axis(double high, AxisOf what) {
  const double top_value = high > 0 ? high : 1;
  const double step = round_step(top_value);
  Axis axis{.low = 0, .high = top_value, .ticks = {}, .title = ""};
  if (what == AxisOf::rate) axis.high = std::ceil(top_value / step) * step;
  const int steps = static_cast<int>(std::floor((axis.high / step) + 1e-6));
  for (int i = 0; i <= steps; ++i) {
    const double at = i * step;
    axis.ticks.push_back({at, what == AxisOf::rate ? number_text(at) : fmt::format("{:.12g}", at)});
  }
  return axis;
}

}  // namespace penstock::load

// The viewBox is small, so that text in it can still be read on a screen of 400 pixels.
#include "report_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr double chart_width = 520;
constexpr double height = 300;
constexpr double left = 58;
constexpr double right = chart_width - 32;  // half of the last label is beside it
constexpr double top = 12;
constexpr double bottom = height - 46;

double place(const Axis& axis, double value, double from, double to) {
  const double share = (value - axis.low) / (axis.high - axis.low);
  return from + (std::clamp(share, 0.0, 1.0) * (to - from));
}
/// In tenths, as it is written, so that what meets on the axis meets on the picture.
double tenths(double value) { return std::round(10 * value) / 10; }
double place_x(const Axis& axis, double value) { return tenths(place(axis, value, left, right)); }
double place_y(const Axis& axis, double value) { return tenths(place(axis, value, bottom, top)); }

std::string grid(const Axis& x_axis, const Axis& y_axis) {
  std::string text;
  for (const Tick& tick : y_axis.ticks) {
    const double y = place_y(y_axis, tick.at);
    text += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        left, y, right, y, left - 7, y + 4.5, escaped(tick.label));
  }
  for (const Tick& tick : x_axis.ticks) {
    const double x = place_x(x_axis, tick.at);
    text += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
        x, top, x, bottom, x, bottom + 18, escaped(tick.label));
  }
  text += fmt::format(
      "<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left,
      bottom, right, bottom);
  return text + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                            (left + right) / 2, height - 8, escaped(x_axis.title));
}

std::string shade(const Axis& x_axis, double until) {
  if (until <= x_axis.low) return "";
  return fmt::format(
      "<rect class=\"shade\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      left, top, place_x(x_axis, until) - left, bottom - top);
}

std::string style_of(const Curve& curve) {
  constexpr std::size_t colours = 6;
  std::string style = fmt::format("c{}", curve.colour % colours);
  if (curve.colour >= colours) style += " dotted";
  return style + (curve.dashed ? " dashed" : "");
}

std::string curve_svg(const Chart& chart, const Curve& curve) {
  const std::string style = style_of(curve);
  if (curve.points.size() == 1) {  // a line of one point would not be seen
    return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", style,
                       place_x(chart.x, curve.points[0].x), place_y(chart.y, curve.points[0].y));
  }
  std::string path;
  bool joined = false;
  Point last;
  for (const Point& point : curve.points) {
    if (std::isnan(point.y)) {
      joined = false;
      continue;
    }
    const Point here{place_x(chart.x, point.x), place_y(chart.y, point.y)};
    if (!joined) {
      path += fmt::format("M{:.1f} {:.1f}", here.x, here.y);
    } else if (here.y == last.y) {
      path += fmt::format("H{:.1f}", here.x);
    } else if (here.x == last.x) {
      path += fmt::format("V{:.1f}", here.y);
    } else {
      path += fmt::format("L{:.1f} {:.1f}", here.x, here.y);
    }
    joined = true;
    last = here;
  }
  return fmt::format("<path class=\"{}\" d=\"{}\"><title>{}</title></path>\n", style, path,
                     escaped(curve.name));
}

std::string legend(const Chart& chart) {
  std::string text = "<p class=\"legend\">";
  for (const Curve& curve : chart.curves) {
    if (curve.points.empty()) continue;
    text += fmt::format(
        "<span><svg class=\"key\" viewBox=\"0 0 26 8\" aria-hidden=\"true\"><line class=\"{}\" "
        "x1=\"0\" y1=\"4\" x2=\"26\" y2=\"4\"/></svg>{}</span>\n",
        style_of(curve), escaped(curve.name));
  }
  return text + "</p>\n";
}

std::string levels_legend(const HeatMap& map) {
  std::string text = "<p class=\"legend\">";
  for (std::size_t level = 0; level < heat_levels; ++level) {
    if (map.level_names[level].empty()) continue;
    text += fmt::format(
        "<span><svg class=\"key\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"h{}\" "
        "width=\"26\" height=\"12\"/></svg>{}</span>\n",
        level, escaped(map.level_names[level]));
  }
  return text + "</p>\n";
}

/// All cells of a level.
std::string cells_svg(const HeatMap& map, std::size_t level) {
  std::string path;
  for (const Cell& cell : map.cells) {
    if (cell.level != level) continue;
    const double x = place_x(map.x, cell.x_from);
    const double y = place_y(map.y, cell.y_to);
    // What is narrower would not be seen.
    const double wide = std::max(place_x(map.x, cell.x_to) - x, 0.5);
    path += fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.1f}h-{:.1f}z", x, y, wide,
                        place_y(map.y, cell.y_from) - y, wide);
  }
  return path.empty() ? "" : fmt::format("<path class=\"h{}\" d=\"{}\"/>\n", level, path);
}

std::string figure(std::string_view title, const std::string& legend, const std::string& drawing) {
  return fmt::format(
      "<figure>\n<figcaption>{0}</figcaption>\n{1}"
      "<svg viewBox=\"0 0 {2} {3}\" role=\"img\" aria-label=\"{0}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n{4}</svg>\n</figure>\n",
      escaped(title), legend, chart_width, height, drawing);
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

/// At these multiples of each power of ten.
std::vector<Tick> decade_ticks(const Axis& axis, std::span<const double> multiples) {
  std::vector<Tick> ticks;
  for (int decade = static_cast<int>(std::floor(axis.low)); decade <= axis.high; ++decade) {
    for (const double multiple : multiples) {
      const double value = multiple * std::pow(10, decade);
      const double at = std::log10(value);
      if (at < axis.low || at > axis.high || value < 1) continue;
      ticks.push_back({at, duration_text(Duration(std::llround(value)))});
    }
  }
  return ticks;
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
  std::string drawing = shade(chart.x, chart.shaded_until) + grid(chart.x, chart.y);
  for (const Curve& curve : chart.curves) {
    if (!curve.points.empty()) drawing += curve_svg(chart, curve);
  }
  return figure(chart.title, legend(chart), drawing);
}

std::string heat_map_html(const HeatMap& map) {
  std::string drawing = shade(map.x, map.shaded_until) + grid(map.x, map.y);
  for (std::size_t level = 0; level < heat_levels; ++level) drawing += cells_svg(map, level);
  return figure(map.title, levels_legend(map), drawing);
}

Axis duration_axis(double low, double high) {
  // Half a decade at least, so that what is constant lies in the middle and not on an edge.
  const double lowest = std::log10(std::max(low, 1.0));
  const double highest = std::log10(std::max(high, 1.0));
  const double around = std::max(0.05, (0.5 - (highest - lowest)) / 2);
  Axis axis{.low = lowest - around, .high = highest + around, .ticks = {}, .title = ""};
  // As many ticks as have room for their labels.
  if (axis.high - axis.low > 3) {
    axis.ticks = decade_ticks(axis, std::array{1.0});
  } else if (axis.high - axis.low > 1.2) {
    axis.ticks = decade_ticks(axis, std::array{1.0, 2.0, 5.0});
  } else {
    axis.ticks = decade_ticks(axis, std::array{1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0});
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

// Chart: a diagram of lines, or of cells (a heat map), as an SVG element that stands in HTML. Sized
// by its viewBox, coloured by the page's style sheet (report_style.h). Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::load {

/// Text as it may stand in HTML, in an attribute too.
[[nodiscard]] std::string escaped(std::string_view text);

struct Tick {
  double at = 0;  ///< on the axis
  std::string label;
};

/// From `low` to `high`, which are not equal. A logarithmic axis is the caller's: it hands over
/// logarithms.
struct Axis {
  double low = 0;
  double high = 1;
  std::vector<Tick> ticks{};
  std::string title{};
};

struct Point {
  double x = 0;
  double y = 0;
};

/// The y of a Point between two parts of a curve that are not joined.
inline constexpr double gap = std::numeric_limits<double>::quiet_NaN();

struct Curve {
  std::string name;
  std::size_t colour = 0;  ///< counts from 0; from six on the colours come again, dotted
  bool dashed = false;
  std::vector<Point> points;  ///< in order of x
};

struct Chart {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Curve> curves;
  double shaded_until = 0;  ///< on the x axis
};

struct Cell {
  double x_from = 0;
  double x_to = 0;
  double y_from = 0;
  double y_to = 0;
  std::size_t level = 0;  ///< from faint to strong, below heat_levels
};
inline constexpr std::size_t heat_levels = 6;

struct HeatMap {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Cell> cells;
  std::array<std::string, heat_levels> level_names;
  double shaded_until = 0;
};

/// A <figure> with the title, the curves and their names.
[[nodiscard]] std::string chart_html(const Chart& chart);
/// The same of cells and their levels.
[[nodiscard]] std::string heat_map_html(const HeatMap& map);

/// Durations from `low` to `high` (ns, above 0) on a logarithmic axis, with round ticks.
[[nodiscard]] Axis duration_axis(double low, double high);
/// From 0 to `high` at least, with round ticks.
enum class AxisOf : std::uint8_t { seconds, rate };
[[nodiscard]] Axis linear_axis(double high, AxisOf what);

}  // namespace penstock::load

// Chart: a diagram of lines as an SVG element that stands in HTML. Sized by its viewBox, coloured
// by the page's style sheet (report_style.h). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
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

struct Curve {
  std::string name;
  std::size_t colour = 0;  ///< counts from 0; the style sheet has six
  bool dashed = false;
  std::vector<Point> points;  ///< in order of x
};

struct Chart {
  std::string title;
  Axis x;
  Axis y;
  std::vector<Curve> curves;
};

/// A <figure> with the title, the curves and their names.
[[nodiscard]] std::string chart_html(const Chart& chart);

/// Durations from `low` to `high` (ns, above 0) on a logarithmic axis, with round ticks.
[[nodiscard]] Axis duration_axis(double low, double high);
/// From 0 to `high` at least, with round ticks.
enum class AxisOf : std::uint8_t { seconds, rate };
[[nodiscard]] Axis linear_axis(double high, AxisOf what);

}  // namespace penstock::load

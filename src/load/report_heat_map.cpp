// A cell is as wide as its interval and as high as its bucket of latencies; neighbours in time of
// one level are drawn as one.
#include "report_heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "penstock/load/units.h"
#include "report_compare.h"
#include "report_parts.h"
#include "report_series.h"

namespace penstock::load {
namespace {

constexpr std::size_t most_columns = 100;

using Columns = std::vector<Interval>;

double log_of(std::uint64_t ns) { return std::log10(std::max(static_cast<double>(ns), 1.0)); }

std::uint64_t end_of(const LatencyBucket& bucket) {
  return static_cast<std::uint64_t>(bucket.up_to.count()) + 1;
}
std::uint64_t begin_of(const LatencyBucket& bucket) {
  const std::uint64_t end = end_of(bucket);
  return std::has_single_bit(end) ? end / 4 * 3 : end / 3 * 2;
}

/// What is to be seen on all maps.
struct Range {
  double shortest = std::numeric_limits<double>::infinity();  ///< ns
  double longest = 0;
  double lowest_rate = std::numeric_limits<double>::infinity();  ///< operations a second in a cell
  double highest_rate = 0;
};

Range range_of(const std::vector<Columns>& maps) {
  Range range;
  for (const Columns& columns : maps) {
    for (const Interval& column : columns) {
      for (const LatencyBucket& bucket : column.latency_buckets) {
        const double rate = per_second(bucket.count, column.length);
        if (rate <= 0) continue;
        range.shortest = std::min(range.shortest, static_cast<double>(begin_of(bucket)));
        range.longest = std::max(range.longest, static_cast<double>(end_of(bucket)));
        range.lowest_rate = std::min(range.lowest_rate, rate);
        range.highest_rate = std::max(range.highest_rate, rate);
      }
    }
  }
  return range;
}

/// Levels are equally wide on a logarithmic scale, so that a single slow operation can be seen
/// beside thousands of quick ones.
double level_width(const Range& range) {
  return std::log(range.highest_rate / range.lowest_rate) / heat_levels;
}
std::size_t level_of(const Range& range, double rate) {
  const double width = level_width(range);
  if (width <= 0) return heat_levels - 1;
  const double level = std::log(rate / range.lowest_rate) / width;
  return static_cast<std::size_t>(std::clamp(level, 0.0, heat_levels - 1.0));
}

std::vector<Cell> cells_of(const Columns& columns, const Range& range) {
  std::map<std::uint64_t, std::vector<Cell>> rows;  // by the end of the bucket
  for (const Interval& column : columns) {
    const double from = seconds(column.offset);
    const double to = seconds(column.offset + column.length);
    for (const LatencyBucket& bucket : column.latency_buckets) {
      const double rate = per_second(bucket.count, column.length);
      if (rate <= 0) continue;
      const std::size_t level = level_of(range, rate);
      std::vector<Cell>& row = rows[end_of(bucket)];
      constexpr double apart = 1e-3;
      if (!row.empty() && row.back().level == level && from < row.back().x_to + apart) {
        row.back().x_to = to;
      } else {
        row.push_back({.x_from = from,
                       .x_to = to,
                       .y_from = log_of(begin_of(bucket)),
                       .y_to = log_of(end_of(bucket)),
                       .level = level});
      }
    }
  }
  std::vector<Cell> cells;
  for (const auto& [_, row] : rows) cells.insert(cells.end(), row.begin(), row.end());
  return cells;
}

void name_levels(HeatMap& map, const Range& range) {
  const double width = level_width(range);
  if (width <= 0) {
    map.level_names.back() = number_text(range.highest_rate, 2) + "/s";
    return;
  }
  for (std::size_t level = 0; level < heat_levels; ++level) {
    const double from = range.lowest_rate * std::exp(width * static_cast<double>(level));
    map.level_names[level] = number_text(from, 2) + "/s";
  }
  map.level_names.front() = "from " + map.level_names.front();
}

}  // namespace

std::string heat_maps_html(std::span<const RunSummary> runs) {
  std::vector<Columns> maps;
  for (const RunSummary& run : runs) maps.push_back(shown_intervals(run.facts, most_columns));
  const Range range = range_of(maps);
  if (range.highest_rate <= 0) return "";
  std::string text;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    const double shaded_until = seconds(measured_from(runs[run].facts));
    HeatMap map{.title = "Operations by latency, over time",
                .x = time_axis(runs, shaded_until),
                .y = duration_axis(range.shortest, range.longest),
                .cells = cells_of(maps[run], range),
                .level_names = {},
                .shaded_until = shaded_until};
    if (map.cells.empty()) continue;
    if (runs.size() > 1) map.title += ": " + run_label(runs, run);
    name_levels(map, range);
    text += heat_map_html(map);
  }
  return text;
}

Axis time_axis(std::span<const RunSummary> runs, double shaded_until) {
  double last = 0;
  bool late = false;
  for (const RunSummary& run : runs) {
    late = late || run.facts.start > Duration::zero();
    for (const Interval& interval : run.facts.intervals) {
      last = std::max(last, seconds(run.facts.start + interval.offset + interval.length));
    }
  }
  Axis axis = linear_axis(last, AxisOf::seconds);
  axis.title = "seconds since the start";
  if (shaded_until > 0) axis.title += late ? "; grey: not measured" : "; grey: warm-up";
  return axis;
}
}  // namespace penstock::load

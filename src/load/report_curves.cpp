// Time series are thinned out before they are drawn: a chart has no more columns than that.
#include "report_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "report_chart.h"
#include "report_compare.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

constexpr std::size_t most_intervals = 400;

/// Neighbours become one with their sums and the worst of their latencies.
std::vector<Interval> thinned(const std::vector<Interval>& intervals) {
  const std::size_t group = (intervals.size() + most_intervals - 1) / most_intervals;
  if (group <= 1) return intervals;
  std::vector<Interval> result;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const Interval& from = intervals[i];
    if (i % group == 0) {
      result.push_back(from);
      continue;
    }
    Interval& into = result.back();
    into.length = std::max(from.offset + from.length - into.offset, Duration::zero());
    into.count.operations += from.count.operations;
    into.errors += from.errors;
    into.waiting = std::max(into.waiting, from.waiting);
    into.latency_p50 = std::max(into.latency_p50, from.latency_p50);
    into.latency_p99 = std::max(into.latency_p99, from.latency_p99);
    into.latency_max = std::max(into.latency_max, from.latency_max);
    into.lag_p99 = std::max(into.lag_p99, from.lag_p99);
  }
  return result;
}

double end_of(const Interval& interval) { return seconds(interval.offset + interval.length); }

double log_of(Duration value) {
  return std::log10(std::max(static_cast<double>(value.count()), 1.0));
}

std::string named(std::span<const RunSummary> runs, std::size_t run, std::string_view what) {
  if (runs.size() == 1) return std::string(what);
  return fmt::format("{} {}", run_name(run), what);
}

/// An axis that all points of the curves are on.
Axis duration_axis_of(const std::vector<Curve>& curves) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  }
  return duration_axis(std::pow(10, std::min(low, high)), std::pow(10, high));
}

bool without_points(const std::vector<Curve>& curves) {
  return std::ranges::all_of(curves, [](const Curve& curve) { return curve.points.empty(); });
}

Curve spectrum_curve(const Distribution& distribution, double farthest) {
  Curve curve;
  for (const Percentile& percentile : distribution.spectrum) {
    const double left_over = 1 - (percentile.percent / 100);
    const double x = left_over <= 0 ? farthest : std::min(-std::log10(left_over), farthest);
    curve.points.push_back({x, log_of(percentile.value)});
  }
  return curve;
}

std::string spectrum(std::span<const RunSummary> runs) {
  Chart chart{.title = "Latency by percentile",
              .x = {.low = 0,
                    .high = 1,
                    .ticks = {{std::log10(2.0), "50%"}, {1, "90%"}},
                    .title = "percentile"},
              .y = {},
              .curves = {}};
  for (std::size_t run = 0; run < runs.size(); ++run) {
    for (const Measure measure : {Measure::latency, Measure::service}) {
      const Distribution* distribution = runs[run].find(measure);
      if (distribution == nullptr) continue;
      // Where one of all is above.
      const double farthest = std::log10(std::max(static_cast<double>(distribution->count), 10.0));
      chart.x.high = std::max(chart.x.high, farthest);
      Curve curve = spectrum_curve(*distribution, farthest);
      const bool service = measure == Measure::service;
      curve.name = named(runs, run, service ? "service time" : "latency");
      curve.colour = runs.size() == 1 ? static_cast<std::size_t>(service) : run;
      curve.dashed = service;
      chart.curves.push_back(std::move(curve));
    }
  }
  if (without_points(chart.curves)) return "";
  for (int nines = 2; nines <= chart.x.high; ++nines) {
    chart.x.ticks.push_back({static_cast<double>(nines),
                             fmt::format("{:.{}f}%", 100 * (1 - std::pow(10, -nines)), nines - 2)});
  }
  chart.y = duration_axis_of(chart.curves);
  return chart_html(chart);
}

/// A curve for each run, of one number of its intervals.
template <class F>
std::vector<Curve> curves_of(std::span<const RunSummary> runs, std::string_view what, F&& y_of) {
  std::vector<Curve> curves;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    Curve curve{.name = named(runs, run, what), .colour = run, .dashed = false, .points = {}};
    for (const Interval& interval : thinned(runs[run].facts.intervals)) {
      const auto y = y_of(interval);
      if (y >= 0) curve.points.push_back({end_of(interval), y});
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

Axis time_axis(std::span<const RunSummary> runs) {
  double last = 0;
  for (const RunSummary& run : runs) {
    for (const Interval& interval : run.facts.intervals) last = std::max(last, end_of(interval));
  }
  Axis axis = linear_axis(last, AxisOf::seconds);
  axis.title = "seconds since the start";
  return axis;
}

/// Below zero: there is none, and no point.
template <Duration Interval::* member>
double log_of_member(const Interval& interval) {
  return interval.*member > Duration::zero() ? log_of(interval.*member) : -1;
}

std::string latency_over_time(std::span<const RunSummary> runs) {
  Chart chart{.title = "Latency over time", .x = time_axis(runs), .y = {}, .curves = {}};
  chart.curves = curves_of(runs, "p99", log_of_member<&Interval::latency_p99>);
  if (runs.size() == 1) {
    chart.curves.front().colour = 1;
    auto median = curves_of(runs, "p50", log_of_member<&Interval::latency_p50>);
    auto longest = curves_of(runs, "max", log_of_member<&Interval::latency_max>);
    longest.front().colour = 3;
    chart.curves.insert(chart.curves.begin(), std::move(median.front()));
    chart.curves.push_back(std::move(longest.front()));
  } else {
    chart.title = "Latency over time, p99";
  }
  if (without_points(chart.curves)) return "";
  chart.y = duration_axis_of(chart.curves);
  return chart_html(chart);
}

std::string lag_over_time(std::span<const RunSummary> runs) {
  Chart chart{.title = "Lag of the generator over time",
              .x = time_axis(runs),
              .y = {},
              .curves = curves_of(runs, "p99", log_of_member<&Interval::lag_p99>)};
  if (without_points(chart.curves)) return "";
  chart.y = duration_axis_of(chart.curves);
  return chart_html(chart);
}

std::string counts_over_time(std::span<const RunSummary> runs, std::string title,
                             std::vector<Curve> curves) {
  Chart chart{
      .title = std::move(title), .x = time_axis(runs), .y = {}, .curves = std::move(curves)};
  if (without_points(chart.curves)) return "";
  double high = 0;
  for (const Curve& curve : chart.curves) {
    for (const Point& point : curve.points) high = std::max(high, point.y);
  }
  chart.y = linear_axis(high, AxisOf::rate);
  return chart_html(chart);
}

}  // namespace

std::string charts_html(std::span<const RunSummary> runs) {
  const auto operations = [](const Interval& interval) {
    return per_second(interval.count.operations, interval.length);
  };
  const auto errors = [](const Interval& interval) {
    return per_second(interval.errors, interval.length);
  };
  const auto waiting = [](const Interval& interval) {
    return static_cast<double>(interval.waiting);
  };
  const auto any = [&](auto count) {
    return std::ranges::any_of(runs, [&](const RunSummary& run) {
      return std::ranges::any_of(run.facts.intervals,
                                 [&](const Interval& interval) { return count(interval) > 0; });
    });
  };
  std::string text = spectrum(runs) + latency_over_time(runs) +
                     counts_over_time(runs, "Throughput over time, operations per second",
                                      curves_of(runs, "operations/s", operations));
  if (any(errors)) {
    auto curves = curves_of(runs, "errors/s", errors);
    if (runs.size() == 1) curves.front().colour = 5;
    text += counts_over_time(runs, "Errors over time, per second", std::move(curves));
  }
  if (any(waiting)) {
    text += counts_over_time(runs, "Operations that waited for a connection",
                             curves_of(runs, "waiting", waiting));
  }
  return text + lag_over_time(runs);
}

}  // namespace penstock::load

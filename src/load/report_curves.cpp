// Numbers of intervals are drawn as levels, as wide as the interval.
#include "report_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "report_chart.h"
#include "report_compare.h"
#include "report_heat_map.h"
#include "report_parts.h"
#include "report_series.h"

namespace penstock::load {
namespace {

constexpr std::size_t most_intervals = 200;

double end_of(const Interval& interval) { return seconds(interval.offset + interval.length); }

double log_of(Duration value) {
  return std::log10(std::max(static_cast<double>(value.count()), 1.0));
}

/// Of a curve: with several runs the chart's title says what it is of.
std::string named(std::span<const RunSummary> runs, std::size_t run, std::string_view what) {
  return runs.size() == 1 ? std::string(what) : run_label(runs, run);
}

/// An axis that all points of the curves are on.
Axis duration_axis_of(const std::vector<Curve>& curves) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      if (std::isnan(point.y)) continue;
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
      // Of several runs there would be too many curves.
      if (distribution == nullptr || (runs.size() > 1 && measure == Measure::service)) continue;
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

/// A level as long as the interval.
void add_level(Curve& curve, const Interval& interval, double y) {
  const double from = seconds(interval.offset);
  const bool joined = !curve.points.empty() && !std::isnan(curve.points.back().y);
  constexpr double apart = 1e-3;
  if (joined && from > curve.points.back().x + apart) curve.points.push_back({from, gap});
  curve.points.push_back({from, y});
  curve.points.push_back({end_of(interval), y});
}

/// A curve for each run, of one number of its intervals; below zero: there is none.
template <class F>
std::vector<Curve> curves_of(std::span<const RunSummary> runs, std::string_view what, F&& y_of) {
  std::vector<Curve> curves;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    Curve curve{.name = named(runs, run, what), .colour = run, .dashed = false, .points = {}};
    for (const Interval& interval : shown_intervals(runs[run].facts, most_intervals)) {
      const auto y = y_of(interval);
      if (y >= 0) add_level(curve, interval, y);
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

/// The end of the warm-up of a single run; several may have different ones.
double shaded_until(std::span<const RunSummary> runs) {
  return runs.size() == 1 ? seconds(measured_from(runs.front().facts)) : 0;
}

/// The empty chart.
Chart over_time(std::span<const RunSummary> runs, std::string title) {
  return {.title = std::move(title),
          .x = time_axis(runs, shaded_until(runs)),
          .y = {},
          .curves = {},
          .shaded_until = shaded_until(runs)};
}

/// None, and no point.
template <Duration Interval::* member>
double log_of_member(const Interval& interval) {
  return interval.*member > Duration::zero() ? log_of(interval.*member) : -1;
}

std::string latency_over_time(std::span<const RunSummary> runs) {
  Chart chart = over_time(runs, "Latency over time");
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
  Chart chart = over_time(runs, "Lag of the generator over time, p99");
  chart.curves = curves_of(runs, "p99", log_of_member<&Interval::lag_p99>);
  if (without_points(chart.curves)) return "";
  chart.y = duration_axis_of(chart.curves);
  return chart_html(chart);
}

std::string counts_over_time(std::span<const RunSummary> runs, std::string title,
                             std::vector<Curve> curves) {
  Chart chart = over_time(runs, std::move(title));
  chart.curves = std::move(curves);
  if (without_points(chart.curves)) return "";
  double high = 0;
  for (const Curve& curve : chart.curves) {
    for (const Point& point : curve.points) {
      if (!std::isnan(point.y)) high = std::max(high, point.y);
    }
  }
  chart.y = linear_axis(high, AxisOf::rate);
  return chart_html(chart);
}

std::string throughput_over_time(std::span<const RunSummary> runs) {
  auto curves = curves_of(runs, "achieved", [](const Interval& interval) {
    return per_second(interval.count.operations, interval.length);
  });
  if (runs.size() == 1 && !without_points(curves)) {
    const RunFacts& facts = runs.front().facts;
    const Duration last = Duration(std::llround(1e9 * curves.front().points.back().x));
    const Duration end = std::min(last - facts.start, facts.warmup + facts.duration);
    Curve asked{.name = "asked for", .colour = 1, .dashed = true, .points = {}};
    double at = seconds(facts.start);
    for (const RateSegment& segment : asked_profile(facts, end)) {
      asked.points.push_back({at, segment.from_per_second});
      at += seconds(segment.length);
      asked.points.push_back({at, segment.to_per_second});
    }
    curves.push_back(std::move(asked));
  }
  return counts_over_time(runs, "Throughput over time, operations per second", std::move(curves));
}

/// Of bulk data, which has no operations.
std::string bits_over_time(std::span<const RunSummary> runs) {
  const auto gbit_a_second = [](std::uint64_t bytes, const Interval& interval) {
    return 8e-9 * per_second(bytes, interval.length);
  };
  auto curves = curves_of(runs, "in", [&](const Interval& interval) {
    return gbit_a_second(interval.count.bytes_in, interval);
  });
  auto out = curves_of(runs, "out", [&](const Interval& interval) {
    return gbit_a_second(interval.count.bytes_out, interval);
  });
  for (std::size_t run = 0; run < runs.size(); ++run) {
    if (runs.size() > 1) curves[run].name += ", in";
    if (runs.size() > 1) out[run].name += ", out";
    out[run].dashed = true;
    if (runs.size() == 1) out[run].colour = 1;
  }
  std::ranges::move(out, std::back_inserter(curves));
  return counts_over_time(runs, "Bulk data over time, Gbit a second", std::move(curves));
}

std::string errors_over_time(std::span<const RunSummary> runs) {
  auto curves = curves_of(runs, "errors", [](const Interval& interval) {
    return per_second(interval.errors, interval.length);
  });
  if (runs.size() == 1) curves.front().colour = 5;
  return counts_over_time(runs, "Errors over time, per second", std::move(curves));
}

/// Counted at the end of each interval.
std::string waiting_over_time(std::span<const RunSummary> runs) {
  std::vector<Curve> curves;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    Curve curve{.name = named(runs, run, "waiting"), .colour = run, .dashed = false, .points = {}};
    for (const Interval& interval : shown_intervals(runs[run].facts, most_intervals)) {
      curve.points.push_back({end_of(interval), static_cast<double>(interval.waiting)});
    }
    curves.push_back(std::move(curve));
  }
  return counts_over_time(runs, "Operations that waited for a connection", std::move(curves));
}

}  // namespace

std::string charts_html(std::span<const RunSummary> runs) {
  const auto any = [&](auto member) {
    return std::ranges::any_of(runs, [&](const RunSummary& run) {
      return std::ranges::any_of(run.facts.intervals,
                                 [&](const Interval& interval) { return interval.*member > 0; });
    });
  };
  const std::string heat_maps = heat_maps_html(runs);
  std::string text = spectrum(runs) + latency_over_time(runs);
  if (runs.size() == 1) text += heat_maps;
  text += throughput_over_time(runs);
  const auto has_streams = [](const RunSummary& run) { return !run.facts.streams.empty(); };
  if (std::ranges::any_of(runs, has_streams)) text += bits_over_time(runs);
  if (any(&Interval::errors)) text += errors_over_time(runs);
  if (any(&Interval::waiting)) text += waiting_over_time(runs);
  text += lag_over_time(runs);
  return runs.size() == 1 ? text : text + heat_maps;
}

}  // namespace penstock::load

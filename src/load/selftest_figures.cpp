// Comparisons, and the mathematics of what is to be expected.
#include "selftest_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr int digits = 4;

Verdict verdict_of(bool holds) noexcept { return holds ? Verdict::holds : Verdict::fails; }

/// "+1.2%", or what there is to say when nothing was expected.
std::string deviation_text(double expected, double measured) {
  if (expected == measured) return "0";
  if (expected == 0) return "";
  return fmt::format("{:+.3f}%", 100 * (measured - expected) / expected);
}

double count_of(Duration duration) noexcept { return static_cast<double>(duration.count()); }

std::string_view text_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::fails:
      return "FAILS";
    case Verdict::told:
      break;
  }
  return "-";
}

}  // namespace

bool Findings::hold() const noexcept {
  const auto is = [](Verdict verdict) {
    return [verdict](const Figure& figure) { return figure.verdict == verdict; };
  };
  return problem.empty() && !interrupted && std::ranges::any_of(figures, is(Verdict::holds)) &&
         std::ranges::none_of(figures, is(Verdict::fails));
}

bool Findings::all_skipped() const noexcept {
  return figures.empty() && problem.empty() && !interrupted && !skipped.empty();
}

Figure nearly(std::string name, Duration expected, Duration measured, const Tolerance& tolerance) {
  const double most = (tolerance.share * count_of(expected)) + count_of(tolerance.beyond);
  const double difference = count_of(measured - expected);
  return {.name = std::move(name),
          .expected = duration_text(expected, digits),
          .measured = duration_text(measured, digits),
          .deviation = deviation_text(count_of(expected), count_of(measured)),
          .verdict = verdict_of(std::abs(difference) <= most)};
}

Figure nearly(std::string name, double expected, double measured, double share) {
  return {.name = std::move(name),
          .expected = fmt::format("{:.2f}", expected),
          .measured = fmt::format("{:.2f}", measured),
          .deviation = deviation_text(expected, measured),
          .verdict = verdict_of(std::abs(measured - expected) <= share * std::abs(expected))};
}

Figure equal(std::string name, std::uint64_t expected, std::uint64_t measured) {
  return {.name = std::move(name),
          .expected = fmt::format("{}", expected),
          .measured = fmt::format("{}", measured),
          .deviation = deviation_text(static_cast<double>(expected), static_cast<double>(measured)),
          .verdict = verdict_of(expected == measured)};
}

Figure same(std::string name, std::string expected, std::string measured) {
  const bool holds = expected == measured;
  return {.name = std::move(name),
          .expected = std::move(expected),
          .measured = std::move(measured),
          .deviation = {},
          .verdict = verdict_of(holds)};
}

Figure below(std::string name, Duration bound, Duration measured) {
  return {.name = std::move(name),
          .expected = "< " + duration_text(bound, digits),
          .measured = duration_text(measured, digits),
          .deviation = {},
          .verdict = verdict_of(measured < bound)};
}

Figure between(std::string name, const Bound& bound, double measured, std::string_view unit) {
  const bool open_above = std::isinf(bound.most);
  const double named = open_above ? bound.least : bound.most;
  const bool both = !open_above && bound.least > 0;
  return {.name = std::move(name),
          .expected = both ? fmt::format("{:.4g} to {:.4g}{}", bound.least, bound.most, unit)
                           : fmt::format("{} {:.4g}{}", open_above ? ">=" : "<=", named, unit),
          .measured = fmt::format("{:.4g}{}", measured, unit),
          .deviation = {},
          .verdict = verdict_of(measured >= bound.least && measured <= bound.most)};
}

Figure not_slower(std::string name, double other, double measured, double least_share) {
  return {.name = std::move(name),
          .expected = fmt::format(">= {:.0f}% of {}", 100 * least_share, number_text(other)),
          .measured = number_text(measured, digits),
          .deviation = deviation_text(other, measured),
          .verdict = verdict_of(measured >= least_share * other)};
}

Figure told(std::string name, std::string measured) {
  return {.name = std::move(name),
          .expected = "-",
          .measured = std::move(measured),
          .deviation = {},
          .verdict = Verdict::told};
}

Duration stalled_latency(const Stall& stall, double percent) noexcept {
  const double length = count_of(stall.length);
  const double left = (1 - (percent / 100)) * count_of(stall.run);
  return Duration(std::llround(std::max(length - left, 0.0)));
}

double distance_from_exponential(std::vector<double> gaps, double mean) {
  PENSTOCK_ASSERT(!gaps.empty() && mean > 0);
  std::ranges::sort(gaps);
  const auto count = static_cast<double>(gaps.size());
  double largest = 0;
  double before = 0;
  for (const double gap : gaps) {
    const double expected = 1 - std::exp(-gap / mean);
    largest = std::max({largest, expected - (before / count), ((before + 1) / count) - expected});
    ++before;
  }
  return largest;
}

double largest_likely_distance(std::size_t gaps) noexcept {
  constexpr double one_of_a_hundred = 1.6276;
  return one_of_a_hundred / std::sqrt(static_cast<double>(gaps));
}

Duration exact_percentile(std::span<const Duration> sorted, double percent) noexcept {
  PENSTOCK_ASSERT(!sorted.empty());
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  const auto place = static_cast<std::size_t>(std::max(rank, 1.0));
  return sorted[std::min(place, sorted.size()) - 1];
}

std::string text_of(const Findings& findings) {
  std::string text;
  if (!findings.figures.empty()) {
    text = fmt::format("  {:<42}{:>16}{:>16}{:>12}  {}\n", "figure", "expected", "measured",
                       "deviation", "verdict");
  }
  for (const Figure& figure : findings.figures) {
    text += fmt::format("  {:<42}{:>16}{:>16}{:>12}  {}\n", figure.name, figure.expected,
                        figure.measured, figure.deviation, text_of(figure.verdict));
  }
  for (const std::string& what : findings.skipped) text += fmt::format("  skipped: {}\n", what);
  if (!findings.problem.empty()) text += fmt::format("  not measured: {}\n", findings.problem);
  if (findings.interrupted) text += "  interrupted: these are not all the figures\n";
  return text;
}

}  // namespace penstock::load

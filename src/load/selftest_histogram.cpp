// Check 5: the histogram against a sort of the same values, and the order of merging.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "penstock/load/random.h"
#include "report_parts.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr std::size_t samples = 10'000'000;
constexpr std::size_t parts = 3;
constexpr double most_error = 0.001;

/// From 1 us to 10 s, with as many in each decade: every bucket in use gets some.
std::vector<Duration> draw_samples() {
  constexpr double decades = 7;
  Random random(5);
  std::vector<Duration> all(samples);
  for (Duration& each : all) {
    each = Duration(std::llround(1000 * std::pow(10, decades * random.unit())));
  }
  return all;
}

bool alike(const Histogram& a, const Histogram& b) {
  bool same = a.count() == b.count() && a.min() == b.min() && a.max() == b.max() &&
              a.mean() == b.mean() && a.deviation() == b.deviation();
  for (std::size_t bucket = 0; bucket < Histogram::buckets && same; ++bucket) {
    same = a.count_in(bucket) == b.count_in(bucket);
  }
  return same;
}

void compare_merges(const std::array<Histogram, parts>& part, const Histogram& whole,
                    Findings& to) {
  Histogram left;
  left.merge(part[0]);
  left.merge(part[1]);
  left.merge(part[2]);
  Histogram last_two;
  last_two.merge(part[1]);
  last_two.merge(part[2]);
  Histogram right;
  right.merge(part[0]);
  right.merge(last_two);
  Histogram backwards;
  for (std::size_t i = parts; i > 0; --i) backwards.merge(part[i - 1]);
  const auto text = [](bool same) { return std::string(same ? "alike" : "differ"); };
  to.figures.push_back(same("(a + b) + c and a + (b + c)", "alike", text(alike(left, right))));
  to.figures.push_back(same("a + b + c and c + b + a", "alike", text(alike(left, backwards))));
  to.figures.push_back(same("a + b + c and all at once", "alike", text(alike(left, whole))));
}

}  // namespace

Result<void> check_histogram(Bench& bench, Findings& to) {
  std::vector<Duration> all = draw_samples();
  std::array<Histogram, parts> part;
  Histogram whole;
  for (std::size_t i = 0; i < all.size(); ++i) {
    part[i % parts].record(all[i]);
    whole.record(all[i]);
  }
  if (bench.interrupted()) return {};
  std::ranges::sort(all);
  if (bench.interrupted()) return {};
  to.figures.push_back(equal("values", std::uint64_t{samples}, whole.count()));
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0}) {
    to.figures.push_back(nearly(percentile_name(percent), exact_percentile(all, percent),
                                whole.percentile(percent), {.share = most_error}));
  }
  double worst = 0;  // of every per mille
  for (int i = 1; i <= 1000; ++i) {
    const auto exact = static_cast<double>(exact_percentile(all, i / 10.0).count());
    const auto seen = static_cast<double>(whole.percentile(i / 10.0).count());
    worst = std::max(worst, std::abs(seen - exact) / exact);
  }
  to.figures.push_back(between("largest error of p0.1, p0.2 to p100",
                               {.least = 0, .most = 100 * most_error}, 100 * worst, " %"));
  compare_merges(part, whole, to);
  return {};
}

}  // namespace penstock::load

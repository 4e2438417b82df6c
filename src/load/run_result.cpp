// Histograms boiled down to what the outputs show.
#include "penstock/load/run_result.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "penstock/load/hgrm.h"

namespace penstock::load {
namespace {

/// Steps of equal width on an axis of log 1/(1-p), up to where no value is left above.
std::vector<Percentile> spectrum_of(const Histogram& histogram) {
  constexpr int steps_per_half = 4;
  std::vector<Percentile> spectrum;
  double above = 1;
  while (above * static_cast<double>(histogram.count()) >= 1) {
    for (int step = 0; step < steps_per_half; ++step) {
      const double left = above * (1 - (step / (2.0 * steps_per_half)));
      const double percent = 100 * (1 - left);
      spectrum.push_back({percent, histogram.percentile(percent)});
    }
    above /= 2;
  }
  spectrum.push_back({100, histogram.max()});
  return spectrum;
}

Distribution distribution_of(Measure measure, const Histogram& histogram) {
  Distribution result{.measure = measure,
                      .count = histogram.count(),
                      .min = histogram.min(),
                      .max = histogram.max(),
                      .mean = histogram.mean(),
                      .deviation = histogram.deviation(),
                      .table = {},
                      .spectrum = spectrum_of(histogram),
                      .encoded = hgrm_encoded(histogram).value_or("")};
  for (const double percent : report_percentiles) {
    result.table.push_back({percent, histogram.percentile(percent)});
  }
  return result;
}

/// The last value of the bucket that a value from 1 ns on is in.
Duration bucket_end(Duration value) noexcept {
  const auto ns = static_cast<std::uint64_t>(value.count());
  const std::uint64_t doubled = std::bit_floor(ns) * 2;
  const std::uint64_t halfway = doubled / 4 * 3;
  return Duration((ns < halfway ? halfway : doubled) - 1);
}

/// Exact, as no bucket of a histogram lies in two of these.
std::vector<LatencyBucket> buckets_of(const Histogram& histogram) {
  std::vector<LatencyBucket> buckets;
  histogram.for_each([&buckets](Duration value, std::uint64_t times) {
    const Duration end = bucket_end(value);
    if (buckets.empty() || buckets.back().up_to != end) buckets.push_back({.up_to = end});
    buckets.back().count += times;
  });
  return buckets;
}

}  // namespace

std::uint64_t RunSummary::error_count() const noexcept {
  return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& error) { return sum + error.second; });
}

const Distribution* RunSummary::find(Measure measure) const noexcept {
  const auto found = std::ranges::find(distributions, measure, &Distribution::measure);
  return found == distributions.end() ? nullptr : &*found;
}

Interval summarize(const Recorder& measured, const IntervalOptions& options) {
  const Histogram& latency = measured.histogram(Measure::latency);
  return {.offset = options.offset,
          .length = options.length,
          .count = measured.count,
          .errors = measured.errors(),
          .waiting = options.waiting,
          .latency_p50 = latency.percentile(50),
          .latency_p99 = latency.percentile(99),
          .latency_max = latency.max(),
          .lag_p99 = measured.histogram(Measure::lag).percentile(99),
          .latency_buckets = buckets_of(latency)};
}

RunSummary summarize(const RunResult& result) {
  RunSummary summary{.facts = result.facts,
                     .count = result.total.count,
                     .errors = {},
                     .errnos = result.total.errnos(),
                     .statuses = result.total.statuses(),
                     .alerts = result.total.alerts()};
  for (const ErrorInfo& info : all_errors()) {
    const std::uint64_t count = result.total.errors(info.error);
    if (count > 0) summary.errors[info.error] = count;
  }
  for (const MeasureInfo& info : all_measures()) {
    const Histogram& histogram = result.total.histogram(info.measure);
    if (histogram.count() == 0) continue;
    summary.distributions.push_back(distribution_of(info.measure, histogram));
  }
  return summary;
}

}  // namespace penstock::load

// Conditions that a run has to meet: --assert 'p99<2ms,err==0' and --slo 'p99<5ms,err<0.1%'. Parsed
// before the run, evaluated on what was measured. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/load/histogram.h"

namespace penstock::load {

enum class Metric : std::uint8_t {
  percentile,  ///< of the latency
  mean,
  min,
  max,
  errors,
  error_share,  ///< of the operations
  rate,         ///< achieved, as a share of what was asked for
  operations,   ///< per second
  lag,          ///< of the generator behind its timeline, 99th percentile
  lost,
};

enum class Comparison : std::uint8_t { less, at_most, more, at_least, equal, not_equal };

struct Condition {
  Metric metric = Metric::percentile;
  double percent = 0;  ///< which percentile
  Comparison comparison = Comparison::less;
  double bound = 0;  ///< nanoseconds, a count, per second, or 1 for the whole
  std::string text;  ///< "p99 < 2ms"
};

/// What conditions are about, of one run or one step of it.
struct Measured {
  const Histogram* latency = nullptr;  ///< null: none was measured
  const Histogram* lag = nullptr;      ///< null: as in a closed loop
  std::uint64_t operations = 0;        ///< that ended, well or not
  std::uint64_t errors = 0;            ///< of those
  std::uint64_t lost = 0;
  double asked_per_second = 0;  ///< zero in a closed loop
  double achieved_per_second = 0;
};

struct Finding {
  std::string text;  ///< "p99 < 2ms: 1.63ms"
  bool holds = false;
};

/// Conditions separated by commas: a metric, one of < <= > >= == !=, and a bound. Metrics are p50
/// or any other percentile, mean, min, max and lag (durations); err (a count, or a share when the
/// bound ends in %), lost (a count), rate (a share, as 0.99 or 99%), ops (per second). Error: a
/// sentence about the first that is none.
[[nodiscard]] Result<std::vector<Condition>> parse_conditions(std::string_view text);

/// A condition on what was not measured does not hold: of no operation it cannot be said that it
/// was quick.
[[nodiscard]] Finding evaluate(const Condition& condition, const Measured& measured);

}  // namespace penstock::load

// The time series of a run as CSV (RFC 4180). Pure.
#pragma once

#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// A line of names, then one for each interval. Times of the run in seconds, latencies in
/// microseconds, both exact to the nanosecond. CSV has no comments: the last cell of every line,
/// "interrupted", is 1 where the run was, and 0 where it was not.
[[nodiscard]] std::string csv_report(const RunSummary& run);

}  // namespace penstock::load

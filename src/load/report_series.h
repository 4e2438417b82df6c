// The intervals of a run as charts over time show them. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

/// Where charts of this run and those that it was beside begin to show what it measured.
[[nodiscard]] Duration measured_from(const RunFacts& facts);

/// In order, by the time since the first of the runs at once began: without the warm-up, in which
/// nothing is measured; without a remnant at the end, the few operations that were still under way,
/// which is part of the interval before it; and about `most` of them at most, neighbours having
/// become one with the worst of their latencies.
[[nodiscard]] std::vector<Interval> shown_intervals(const RunFacts& facts, std::size_t most);

/// What was asked for, from the run's own begin until `end`. Empty in a closed loop, and where the
/// rate was searched for.
[[nodiscard]] RateProfile asked_profile(const RunFacts& facts, Duration end);

}  // namespace penstock::load

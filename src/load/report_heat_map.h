// Heat maps of the HTML report: how many operations took how long, over time. And what they share
// with the curves over time. Pure.
#pragma once

#include <span>
#include <string>

#include "penstock/load/run_result.h"
#include "report_chart.h"

namespace penstock::load {

/// A <figure> for each run that has latencies, all with the same axes and levels.
[[nodiscard]] std::string heat_maps_html(std::span<const RunSummary> runs);

/// From the start of the runs to the end of the longest, in seconds; its title says what the shade
/// is.
[[nodiscard]] Axis time_axis(std::span<const RunSummary> runs, double shaded_until);

}  // namespace penstock::load

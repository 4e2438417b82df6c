// The charts of the HTML report: which numbers of runs become which curves. Pure.
#pragma once

#include <span>
#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// <figure> elements, each for itself; without those that there are no numbers for. With one run
/// the curves are its measures, with several they are the runs.
[[nodiscard]] std::string charts_html(std::span<const RunSummary> runs);

}  // namespace penstock::load

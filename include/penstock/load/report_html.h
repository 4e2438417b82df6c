// Runs as one HTML file that needs no other: inline SVG, no script. Pure.
#pragma once

#include <span>
#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// A page about a run, or one that compares several with the first. At least one.
[[nodiscard]] std::string html_report(std::span<const RunSummary> runs);

}  // namespace penstock::load

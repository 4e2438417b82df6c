// Runs as text for a person, in at most 100 columns. Pure.
#pragma once

#include <span>
#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// What was asked, what came of it, what to make of it. The last line is the verdict.
[[nodiscard]] std::string text_report(const RunSummary& run);

/// The runs side by side, one a line, and what differs from the first as a ratio to it. At least
/// one.
[[nodiscard]] std::string compare_text(std::span<const RunSummary> runs);

}  // namespace penstock::load

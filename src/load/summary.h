// Summary: a run as text for a person, at its end and while it lasts. Pure.
#pragma once

#include <string>

#include "verdict.h"

namespace penstock::load {

/// One line for an interval, with its newline.
[[nodiscard]] std::string progress_line(const Progress& progress);

/// What was asked, what came of it, what to make of it.
[[nodiscard]] std::string summary_text(const RunOptions& options, const Outcome& outcome,
                                       const Verdict& verdict);

}  // namespace penstock::load

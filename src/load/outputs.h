// Outputs: the files that a run is told in, and the comparison of such files.
#pragma once

#include <string>
#include <vector>

#include "penstock/load/run_result.h"
#include "verdict.h"

namespace penstock::load {

/// Writes what the options name: JSON, CSV, HTML, percentiles. Error: the file that cannot be
/// written.
[[nodiscard]] Result<void> write_outputs(const RunOptions& options, Outcome outcome,
                                         const Verdict& verdict, std::vector<Interval> intervals);

/// Reads runs back from JSON files and prints their comparison; as a page, too, where `html_file`
/// names one. Error: what is wrong with which file.
[[nodiscard]] Result<void> compare_runs(const std::vector<std::string>& files,
                                        const std::string& html_file);

}  // namespace penstock::load

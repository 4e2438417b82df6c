// Outputs: the files that a run is told in, and the comparison of such files.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "penstock/load/run_result.h"
#include "run_options.h"

namespace penstock::load {

/// Writes what `files` names: JSON, CSV, HTML, and the percentiles of `latency`. Error: the file
/// that cannot be written.
[[nodiscard]] Result<void> write_outputs(const OutputFiles& files, const RunSummary& run,
                                         const Histogram& latency);

/// Writes a page about these runs, of which there is at least one. Error: it cannot be written.
[[nodiscard]] Result<void> write_page(const std::string& path, std::span<const RunSummary> runs);

/// Reads runs back from JSON files and prints their comparison; as a page, too, where `html_file`
/// names one. Error: what is wrong with which file.
[[nodiscard]] Result<void> compare_runs(const std::vector<std::string>& files,
                                        const std::string& html_file);

}  // namespace penstock::load

// Comparison of runs as rows of numbers, for text and HTML. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "penstock/load/run_result.h"

namespace penstock::load {

struct CompareCell {
  std::string value;  ///< "-" where the run has none
  std::string ratio;  ///< to the first run's, "x0.82"; empty where there is none
};
struct CompareRow {
  std::string name;
  std::vector<CompareCell> cells;  ///< one a run
};

/// Rows that at least one run has a value for.
[[nodiscard]] std::vector<CompareRow> compare_rows(std::span<const RunSummary> runs);
/// "#2": `index` counts from 0.
[[nodiscard]] std::string run_name(std::size_t index);
/// "#2 base": with its labels, in a legend.
[[nodiscard]] std::string run_label(std::span<const RunSummary> runs, std::size_t index);
/// "rr on host:port: OPEN loop at 5k, uniform arrivals; name=base"
[[nodiscard]] std::string run_title(const RunSummary& run);
/// Why the runs are not as comparable as they look, as sentences.
[[nodiscard]] std::vector<std::string> compare_warnings(std::span<const RunSummary> runs);

}  // namespace penstock::load

// A run as JSON, and back. Pure. The form has a version: a program that knows it finds the same
// keys under the same names.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

inline constexpr int report_schema_version = 1;

/// The whole of the run. Durations are whole nanoseconds, as their names say.
[[nodiscard]] std::string json_report(const RunSummary& run);

/// What json_report() wrote; keys that it does not know are let be. Error: a sentence about what is
/// wrong with the text, without the name of a file.
[[nodiscard]] Result<RunSummary> read_json_report(std::string_view text);

}  // namespace penstock::load

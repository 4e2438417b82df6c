// Coordinator: makes the workers of a run, lets them begin together, collects what they measure and
// brings them to an end, on time or at a signal. On the calling thread; each worker has its own.
#pragma once

#include <functional>

#include "penstock/base/signals.h"
#include "penstock/load/report_live.h"
#include "penstock/load/run_result.h"
#include "run_options.h"

namespace penstock::load {

/// Runs until the options say it is over, everything has ended, or a signal comes: the first one
/// lets what is under way end, the second does not. Calls on_progress once an interval. The result
/// is not judged yet (judge.h). Error: it could not begin.
[[nodiscard]] Result<RunResult> run_load(const RunOptions& options, Signals& signals,
                                         const std::function<void(const LiveState&)>& on_progress);

}  // namespace penstock::load

// Coordinator: makes the workers of a run, lets them begin together, collects what they measure and
// brings them to an end, on time or at a signal. On the calling thread; each worker has its own.
#pragma once

#include <functional>

#include "interruptions.h"
#include "penstock/load/report_live.h"
#include "penstock/load/run_result.h"
#include "run_options.h"
#include "start_line.h"

namespace penstock::load {

/// Runs until the options say it is over, everything has ended, or an interruption comes: the first
/// one lets what is under way end, the second does not. Calls on_progress once an interval. The
/// result is not judged yet (judge.h). Several may run at once, each on a thread of its own; `line`
/// is shared by those that begin together, null for one that is alone. Error: it could not begin.
[[nodiscard]] Result<RunResult> run_load(const RunOptions& options, Interruptions& interruptions,
                                         const std::function<void(const LiveState&)>& on_progress,
                                         StartLine* line = nullptr);

}  // namespace penstock::load

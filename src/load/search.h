// The search for the highest rate that meets conditions: one run after another.
#pragma once

#include <functional>

#include "coordinator.h"

namespace penstock::load {

/// The run at the highest rate that held, judged, or the last one when none did, with every attempt
/// as a step of it. `options.conditions` are what has to hold; the search begins at the rate of
/// `options.profile`, which it changes. `on_attempt`: after each. Errors: those of run_load().
[[nodiscard]] Result<RunResult> search_rate(
    RunOptions& options, Interruptions& interruptions,
    const std::function<void(const LiveState&)>& on_progress,
    const std::function<void(const Step&)>& on_attempt);

}  // namespace penstock::load

// Mix: the loads of a scenario at once, each a run on a thread of its own, with phases that line
// up. On the calling thread, which waits for their end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coordinator.h"
#include "scenario.h"

namespace penstock::load {

/// What became of a load. Neither: its start had not come when the scenario was interrupted.
struct LoadOutcome {
  std::optional<RunResult> run;  ///< judged
  std::optional<Error> error;    ///< why it could not begin
};

/// In the order of the scenario. A load that cannot begin ends the others as an interruption does.
/// `on_progress` is called on the loads' threads, with times since the first began. Error: nothing
/// has begun.
[[nodiscard]] Result<std::vector<LoadOutcome>> run_mix(
    const Scenario& scenario, Interruptions& interruptions,
    const std::function<void(const ScenarioLoad&, const LiveState&)>& on_progress);

}  // namespace penstock::load

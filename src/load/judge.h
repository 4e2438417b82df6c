// What a run proves: whether bytes were lost or wrong, whether conditions hold, and whether the
// generator was fit to say so. Pure.
#pragma once

#include <vector>

#include "penstock/load/assertion.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

/// Fills in the run's findings, the reasons why the generator was unfit, and the exit code.
void judge(RunResult& run, const std::vector<Condition>& conditions);

}  // namespace penstock::load

// Verdict: what a run proves: whether bytes were lost or wrong, whether conditions hold, and
// whether the generator was fit to say so. Pure.
#pragma once

#include <string>
#include <vector>

#include "coordinator.h"
#include "penstock/load/assertion.h"

namespace penstock::load {

struct Verdict {
  std::vector<Finding> findings{};           ///< of the conditions that were given
  std::vector<std::string> unfit_reasons{};  ///< why the generator was not; clauses
  std::vector<std::string> warnings{};       ///< these, and more, as sentences
  int exit_code = 0;                         ///< ExitCode
};

[[nodiscard]] Verdict judge(const RunOptions& options, const Outcome& outcome);

}  // namespace penstock::load

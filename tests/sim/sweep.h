// Sweep: many seeds, one after another in each of several processes, so that a violated duty, which
// ends its process, costs one seed and can be told: which seed it was, and what it said on stderr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "penstock/time/instant.h"
#include "tally.h"

namespace penstock::sim {

struct SweepOptions {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  std::size_t jobs = 1;
  /// Real time after which no seed is begun any more.
  Duration limit = Duration::max();
  /// A seed that takes longer in real time has failed.
  Duration seed_limit = std::chrono::seconds(120);
  bool quiet = false;  ///< what a failing process says is not shown
  /// Called about every ten seconds with the number of seeds done.
  std::function<void(std::uint64_t)> on_progress;
};

struct SweepOutcome {
  Tally tally;
  std::uint64_t seeds = 0;              ///< that were run to their end
  std::optional<std::uint64_t> failed;  ///< the lowest that was not; the sweep ended there
  double seconds = 0;                   ///< real time
};

/// Runs the seeds first … first + count - 1. Ends at the first that fails.
[[nodiscard]] SweepOutcome sweep(const SweepOptions& options);

/// As many processes as this one may use CPUs.
[[nodiscard]] std::size_t usual_jobs();

}  // namespace penstock::sim

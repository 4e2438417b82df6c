// Coordinator: makes the workers of a run, lets them begin together, collects what they measure and
// brings them to an end, on time or at a signal. On the calling thread; each worker has its own.
#pragma once

#include <functional>
#include <vector>

#include "penstock/base/signals.h"
#include "penstock/load/recorder.h"
#include "run_options.h"

namespace penstock::load {

/// What came of a run, before anybody has judged it.
struct Outcome {
  Recorder total;
  Duration measured{};  ///< how long operations were begun and measured
  Duration took{};      ///< until the last of them ended
  bool interrupted = false;
  std::vector<Duration> cpu_times{};  ///< of each worker
};

struct Progress {
  Duration offset{};  ///< since the beginning
  Duration length{};
  const Recorder* interval = nullptr;
};

/// Runs until the options say it is over, everything has ended, or a signal comes: the first one
/// lets what is under way end, the second does not. Calls on_progress once an interval. Error: it
/// could not begin.
[[nodiscard]] Result<Outcome> run_load(const RunOptions& options, Signals& signals,
                                       const std::function<void(const Progress&)>& on_progress);

}  // namespace penstock::load

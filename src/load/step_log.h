// StepLog: what was measured in each step of a rate that goes up in steps. The coordinator's. An
// operation belongs to the step in which it ended, and to the last one after the deadline.
#pragma once

#include <cstddef>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

class StepLog {
 public:
  /// A profile of one segment has no steps.
  StepLog(const RateProfile& profile, Duration warmup);

  /// When the interval from `from` on has to end, so that it is in one step: `latest` or before.
  [[nodiscard]] Duration cut(Duration from, Duration latest) const noexcept;
  /// What was measured from `from` on; in order.
  void add(const Recorder& measured, Duration from);
  /// Of a run that took so long, those that were measured.
  [[nodiscard]] std::vector<Step> steps(Duration whole) const;

 private:
  std::vector<Step> steps_;
  std::vector<Duration> ends_;  // of each
  Duration warmup_;
  std::size_t current_ = 0;
  Histogram latency_;  // of the current one
};

}  // namespace penstock::load

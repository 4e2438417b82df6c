// StepTaker: a run whose rate goes up in steps, as a result for each step. What ended within a step
// is the step's.
#pragma once

#include <vector>

#include "penstock/load/rate_profile.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

/// What was measured of a load that asked for so much, for so long.
[[nodiscard]] Step step_of(const Recorder& measured, double asked_per_second, Duration length);

class StepTaker {
 public:
  explicit StepTaker(RateProfile profile) : profile_(std::move(profile)) {}

  /// When the step ends that is under way; far off when all have.
  [[nodiscard]] Duration ends() const noexcept;
  /// Adds what was measured since the last call, until `end`.
  void add(const Recorder& measured, Duration end);
  /// All steps; the last one may have been cut short.
  [[nodiscard]] std::vector<Step> take();

 private:
  void close();

  RateProfile profile_;
  std::vector<Step> steps_;
  Recorder current_;
  Duration begun_{};
  Duration until_{};  // what was added ends there
};

}  // namespace penstock::load

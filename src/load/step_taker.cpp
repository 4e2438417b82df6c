// Sums between the ends of segments.
#include "step_taker.h"

#include <algorithm>
#include <utility>

namespace penstock::load {

Step step_of(const Recorder& measured, double asked_per_second, Duration length) {
  const Histogram& latency = measured.histogram(Measure::latency);
  return {.asked_per_second = asked_per_second,
          .achieved_per_second =
              static_cast<double>(measured.count.operations) / std::max(seconds(length), 1e-9),
          .operations = measured.count.operations,
          .errors = measured.errors() + measured.count.unsent,
          .latency_p50 = latency.percentile(50),
          .latency_p99 = latency.percentile(99),
          .latency_max = latency.max(),
          .findings = {}};
}

Duration StepTaker::ends() const noexcept {
  return steps_.size() < profile_.size() ? begun_ + profile_[steps_.size()].length
                                         : never.time_since_epoch() / 2;
}

void StepTaker::add(const Recorder& measured, Duration end) {
  current_.merge(measured);
  until_ = end;
  // What comes after the end is the last step's.
  if (end >= ends() && steps_.size() + 1 < profile_.size()) close();
}

void StepTaker::close() {
  const RateSegment& segment = profile_[steps_.size()];
  const Duration length = std::min(segment.length, until_ - begun_);
  const double asked = (segment.from_per_second + segment.to_per_second) / 2;
  steps_.push_back(step_of(current_, asked, length));
  current_.clear();
  begun_ += segment.length;
}

std::vector<Step> StepTaker::take() {
  if (until_ > begun_) close();
  return std::exchange(steps_, {});
}

}  // namespace penstock::load

// One histogram is enough, as the steps come in order.
#include "step_log.h"

#include <algorithm>

namespace penstock::load {

StepLog::StepLog(const RateProfile& profile, Duration warmup) : warmup_(warmup) {
  if (profile.size() < 2) return;
  Duration end{};
  for (const RateSegment& segment : profile) {
    end += segment.length;
    ends_.push_back(end);
    steps_.push_back({.asked_per_second = (segment.from_per_second + segment.to_per_second) / 2,
                      .findings = {}});
  }
}

Duration StepLog::cut(Duration from, Duration latest) const noexcept {
  const auto end = std::ranges::upper_bound(ends_, from);
  return end == ends_.end() ? latest : std::min(*end, latest);
}

void StepLog::add(const Recorder& measured, Duration from) {
  if (steps_.empty()) return;
  while (current_ + 1 < steps_.size() && from >= ends_[current_]) {
    ++current_;
    latency_.clear();
  }
  latency_.merge(measured.histogram(Measure::latency));
  Step& step = steps_[current_];
  step.operations += measured.count.operations;
  step.errors += measured.errors();
  step.latency_p50 = latency_.percentile(50);
  step.latency_p99 = latency_.percentile(99);
  step.latency_max = latency_.max();
}

std::vector<Step> StepLog::steps(Duration whole) const {
  std::vector<Step> result;
  Duration begin{};
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Duration measured = std::min(ends_[i], whole) - std::max(begin, warmup_);
    begin = ends_[i];
    if (measured <= Duration::zero()) continue;
    Step& step = result.emplace_back(steps_[i]);
    step.achieved_per_second = static_cast<double>(step.operations) / seconds(measured);
  }
  return result;
}

}  // namespace penstock::load

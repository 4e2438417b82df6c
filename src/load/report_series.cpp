// Neighbours are joined: counts are added up.
#include "report_series.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace penstock::load {
namespace {

Duration end_of(const Interval& interval) { return interval.offset + interval.length; }

void add_buckets(Interval& into, const Interval& from) {
  std::vector<LatencyBucket>& buckets = into.latency_buckets;
  for (const LatencyBucket& bucket : from.latency_buckets) {
    const auto place = std::ranges::lower_bound(buckets, bucket.up_to, {}, &LatencyBucket::up_to);
    if (place != buckets.end() && place->up_to == bucket.up_to) {
      place->count += bucket.count;
    } else {
      buckets.insert(place, bucket);
    }
  }
}

void add_counts(Interval& into, const Interval& from) {
  into.length = std::max(end_of(from) - into.offset, Duration::zero());
  into.count.operations += from.count.operations;
  into.count.bytes_in += from.count.bytes_in;
  into.count.bytes_out += from.count.bytes_out;
  into.errors += from.errors;
  into.latency_max = std::max(into.latency_max, from.latency_max);
  add_buckets(into, from);
}

void join(Interval& into, const Interval& from) {
  add_counts(into, from);
  into.waiting = std::max(into.waiting, from.waiting);
  into.latency_p50 = std::max(into.latency_p50, from.latency_p50);
  into.latency_p99 = std::max(into.latency_p99, from.latency_p99);
  into.lag_p99 = std::max(into.lag_p99, from.lag_p99);
}

/// The percentiles of few operations would look like a change.
void join_remnant(std::vector<Interval>& intervals) {
  if (intervals.size() < 2) return;
  const Interval last = std::move(intervals.back());
  Interval& before = intervals[intervals.size() - 2];
  if (last.length * 2 >= before.length || last.count.operations > before.count.operations) {
    intervals.back() = last;
    return;
  }
  intervals.pop_back();
  add_counts(before, last);
  before.waiting = last.waiting;
}

std::vector<Interval> measured(const RunFacts& facts) {
  std::vector<Interval> result;
  if (facts.duration <= Duration::zero()) return result;
  for (const Interval& interval : facts.intervals) {
    if (end_of(interval) <= facts.warmup) continue;
    Interval& shown = result.emplace_back(interval);
    if (shown.offset < facts.warmup) {
      shown.length = end_of(shown) - facts.warmup;
      shown.offset = facts.warmup;
    }
    shown.offset += facts.start;
  }
  return result;
}

}  // namespace

Duration measured_from(const RunFacts& facts) {
  return facts.warmup > Duration::zero() ? facts.start + facts.warmup : Duration::zero();
}

std::vector<Interval> shown_intervals(const RunFacts& facts, std::size_t most) {
  std::vector<Interval> intervals = measured(facts);
  join_remnant(intervals);
  const std::size_t group = (intervals.size() + most - 1) / most;
  if (group <= 1) return intervals;
  std::vector<Interval> result;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    if (i % group == 0) {
      result.push_back(std::move(intervals[i]));
    } else {
      join(result.back(), intervals[i]);
    }
  }
  return result;
}

RateProfile asked_profile(const RunFacts& facts, Duration end) {
  const std::string& text = facts.settings.rate;
  if (facts.settings.loop == Loop::closed || text.empty()) return {};
  RateProfile profile;
  if (auto rate = parse_rate(text)) {
    profile = {{*rate, *rate, end}};
  } else if (auto ramp = parse_ramp(text)) {
    profile = std::move(*ramp);
  } else if (auto steps = parse_steps(text)) {
    profile = std::move(*steps);
  }
  RateProfile before_end;
  Duration at{};
  for (RateSegment segment : profile) {
    if (at >= end) break;
    if (at + segment.length > end) {
      const double share = seconds(end - at) / seconds(segment.length);
      segment.to_per_second = std::lerp(segment.from_per_second, segment.to_per_second, share);
      segment.length = end - at;
    }
    at += segment.length;
    before_end.push_back(segment);
  }
  return before_end;
}

}  // namespace penstock::load

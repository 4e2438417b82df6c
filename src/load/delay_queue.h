// DelayQueue: who waits for the end of a delay, to the nanosecond (a TimerWheel has ticks of 1 ms),
// and how long the delays really were. The service's worker turns it; any thread may read.
#pragma once

#include <mutex>
#include <set>
#include <utility>

#include "penstock/load/histogram.h"
#include "penstock/time/instant.h"

namespace penstock::load {

class Responder;

class DelayQueue {
 public:
  [[nodiscard]] Instant next() const noexcept {
    return waiting_.empty() ? never : waiting_.begin()->first;
  }
  /// The responder's due() is called then, unless it is taken out before, with the same `at`.
  void add(Instant at, Responder& responder) { waiting_.emplace(at, &responder); }
  void remove(Instant at, Responder& responder) { waiting_.erase({at, &responder}); }
  /// The first one whose time has come, taken out; null: none.
  [[nodiscard]] Responder* take_due(Instant now);

  void taken(Duration delay) {
    const std::scoped_lock lock(mutex_);
    taken_.record(delay);
  }
  /// Adds all delays to `to`. From any thread.
  void merge_into(Histogram& to) const {
    const std::scoped_lock lock(mutex_);
    to.merge(taken_);
  }

 private:
  std::set<std::pair<Instant, Responder*>> waiting_;
  mutable std::mutex mutex_;
  Histogram taken_;  // under mutex_
};

}  // namespace penstock::load

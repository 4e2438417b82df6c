// Timeline: virtual time and what is going to happen in it. Segments on the wire, the remote ends'
// next moves and the limits of patience are events; events of one instant happen in the order in
// which they were entered. Time passes only when somebody says so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/time/instant.h"

namespace penstock::sim {

class Timeline {
 public:
  [[nodiscard]] Instant now() const noexcept { return now_; }
  /// When the earliest event is; `never` when there is none.
  [[nodiscard]] Instant next() const noexcept {
    return events_.empty() ? never : events_.begin()->first.first;
  }
  void at(Instant when, std::function<void()> what) {
    events_.emplace(std::pair(when < now_ ? now_ : when, count_++), std::move(what));
  }
  void after(Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  /// Moves on to the earliest event and runs it; false when there is none up to `limit`.
  bool run_one(Instant limit) {
    if (next() > limit || events_.empty()) return false;
    const auto first = events_.begin();
    now_ = first->first.first;
    const std::function<void()> what = std::move(first->second);
    events_.erase(first);
    what();
    return true;
  }
  /// No event may lie before `when`.
  void advance_to(Instant when) noexcept {
    PENSTOCK_ASSERT(when >= now_ && next() >= when);
    now_ = when;
  }

 private:
  Instant now_{std::chrono::seconds(1000)};
  std::uint64_t count_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace penstock::sim

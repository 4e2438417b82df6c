// TimerWheel: deadlines of many sessions in one hierarchical wheel (6 levels of 64 slots, ticks of
// 1 ms). Pure: it is told the time. A timer fires at most one tick late and never early; scheduling
// and cancelling cost O(1) and allocate nothing. Owned by one thread. Source: Varghese and Lauck,
// "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "penstock/base/intrusive_list.h"
#include "penstock/time/instant.h"

namespace penstock {

struct TimerTag;

/// Embedded in whoever waits. Unlinks itself when destroyed.
class Timer : public ListHook<TimerTag> {
 public:
  /// Whoever the timer belongs to; set once by the owner, given back by advance().
  void* owner = nullptr;
  [[nodiscard]] bool scheduled() const noexcept { return linked(); }
  [[nodiscard]] Instant deadline() const noexcept { return deadline_; }

 private:
  friend class TimerWheel;
  Instant deadline_{};
  std::uint16_t slot_ = 0;  // level * slots + position, for the occupancy bit
};

class TimerWheel {
 public:
  explicit TimerWheel(Instant start) noexcept;

  /// Sets or moves `timer` to fire at `deadline` (one already past fires at the next advance()).
  void schedule(Timer& timer, Instant deadline) noexcept;
  void cancel(Timer& timer) noexcept;

  /// Calls on_due(Timer&) for every timer due at `now`, in the order of their ticks. The callback
  /// may schedule and cancel any timer, the same one too; what it schedules for the past fires at
  /// the next advance().
  template <class F>
  void advance(Instant now, F&& on_due) {
    collect_due(now);
    while (Timer* timer = due_.pop_front()) on_due(*timer);
  }
  /// No timer fires before this; `never` when there is none. May be early by the width of a slot,
  /// never late.
  [[nodiscard]] Instant next_deadline() const noexcept;
  [[nodiscard]] bool empty() const noexcept;

 private:
  static constexpr int levels = 6;
  static constexpr int slots = 64;
  using List = IntrusiveList<Timer, TimerTag>;

  /// The next tick at which a slot has to be emptied: level `levels` stands for the far list.
  struct Stop {
    std::uint64_t tick;
    int level;
    int position;
  };

  void collect_due(Instant now) noexcept;
  /// Puts `timer` where it belongs, seen from tick_; on `reached` when its tick has come.
  void place(Timer& timer, List& reached) noexcept;
  [[nodiscard]] std::optional<Stop> next_stop() const noexcept;
  [[nodiscard]] std::uint64_t nanoseconds_since_start(Instant at) const noexcept;
  [[nodiscard]] std::uint64_t tick_of(Instant deadline) const noexcept;
  [[nodiscard]] Instant instant_of(std::uint64_t tick) const noexcept;
  [[nodiscard]] List& list(int level, int position) noexcept {
    return wheel_[static_cast<std::size_t>(level)][static_cast<std::size_t>(position)];
  }
  [[nodiscard]] const List& list(int level, int position) const noexcept {
    return wheel_[static_cast<std::size_t>(level)][static_cast<std::size_t>(position)];
  }
  void forget(int level, int position) noexcept {
    occupied_[static_cast<std::size_t>(level)] &= ~(std::uint64_t{1} << position);
  }

  Instant start_;
  std::uint64_t tick_ = 0;                        ///< everything up to here has fired
  std::array<std::uint64_t, levels> occupied_{};  ///< one bit per slot that may hold a timer
  std::array<std::array<List, slots>, levels> wheel_;
  List far_;      ///< beyond what the levels span
  List overdue_;  ///< scheduled for the past: due at the next advance(), never within the present
                  ///< one
  List due_;      ///< being handed out by advance()
};

}  // namespace penstock

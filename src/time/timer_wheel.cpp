// The wheel's bookkeeping. A timer's level is the highest 6-bit digit in which its tick differs
// from the present one, so every occupied slot lies ahead of the present within its level, and
// everything on a lower level is due before everything on a higher one. That makes both the next
// deadline and a jump of hours a matter of a few bit operations.
#include "penstock/time/timer_wheel.h"

#include <bit>

#include "penstock/base/assert.h"

namespace penstock {
namespace {

constexpr int digit_bits = 6;
constexpr std::uint64_t tick_ns = 1'000'000;
/// Ticks that the six levels span; a timer in a later span waits on the far list (2^36 ms are 795
/// days).
constexpr int span_bits = 36;

constexpr int shift_of(int level) noexcept { return level * digit_bits; }

}  // namespace

TimerWheel::TimerWheel(Instant start) noexcept : start_(start) {}

// Subtracts as unsigned: `never` minus a negative start does not fit a Duration.
std::uint64_t TimerWheel::nanoseconds_since_start(Instant at) const noexcept {
  if (at <= start_) return 0;
  return static_cast<std::uint64_t>(at.time_since_epoch().count()) -
         static_cast<std::uint64_t>(start_.time_since_epoch().count());
}

// Rounds up: a timer never fires early.
std::uint64_t TimerWheel::tick_of(Instant deadline) const noexcept {
  const std::uint64_t ns = nanoseconds_since_start(deadline);
  return ns / tick_ns + (ns % tick_ns != 0 ? 1 : 0);
}

Instant TimerWheel::instant_of(std::uint64_t tick) const noexcept {
  return start_ + Duration(static_cast<Duration::rep>(tick * tick_ns));
}

void TimerWheel::schedule(Timer& timer, Instant deadline) noexcept {
  cancel(timer);
  timer.deadline_ = deadline;
  place(timer, overdue_);
}

void TimerWheel::cancel(Timer& timer) noexcept {
  if (!timer.linked()) return;
  timer.unlink();
  // Also right for a timer that has left its slot for the due list: a bit may go whenever its list
  // is empty.
  const int level = timer.slot_ / slots;
  const int position = timer.slot_ % slots;
  if (level < levels && list(level, position).empty()) forget(level, position);
}

void TimerWheel::place(Timer& timer, List& reached) noexcept {
  const std::uint64_t tick = tick_of(timer.deadline_);
  if (tick <= tick_) {
    reached.push_back(timer);
    return;
  }
  const int highest_bit = 63 - std::countl_zero(tick ^ tick_);
  if (highest_bit >= span_bits) {
    timer.slot_ = levels * slots;
    far_.push_back(timer);
    return;
  }
  const int level = highest_bit / digit_bits;
  const auto position = static_cast<int>((tick >> shift_of(level)) % slots);
  timer.slot_ = static_cast<std::uint16_t>(level * slots + position);
  list(level, position).push_back(timer);
  occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << position;
}

std::optional<TimerWheel::Stop> TimerWheel::next_stop() const noexcept {
  for (int level = 0; level < levels; ++level) {
    std::uint64_t bits = occupied_[static_cast<std::size_t>(level)];
    for (; bits != 0; bits &= bits - 1) {
      const int position = std::countr_zero(bits);
      // A timer that was destroyed unlinks itself without telling the wheel; its bit is stale.
      if (list(level, position).empty()) continue;
      const std::uint64_t block = tick_ >> shift_of(level + 1) << shift_of(level + 1);
      const std::uint64_t tick = block + (static_cast<std::uint64_t>(position) << shift_of(level));
      return Stop{tick, level, position};
    }
  }
  if (far_.empty()) return std::nullopt;
  return Stop{((tick_ >> span_bits) + 1) << span_bits, levels, 0};
}

void TimerWheel::collect_due(Instant now) noexcept {
  due_.splice_back(overdue_);
  const std::uint64_t target = nanoseconds_since_start(now) / tick_ns;
  while (tick_ < target) {
    const std::optional<Stop> stop = next_stop();
    if (!stop || stop->tick > target) break;
    PENSTOCK_ASSERT(stop->tick > tick_);
    tick_ = stop->tick;
    // Every timer of the slot is due now or moves to a lower level; those on the far list may stay
    // there.
    List moving;
    moving.splice_back(stop->level < levels ? list(stop->level, stop->position) : far_);
    if (stop->level < levels) forget(stop->level, stop->position);
    while (Timer* timer = moving.pop_front()) place(*timer, due_);
  }
  if (tick_ < target) tick_ = target;
}

Instant TimerWheel::next_deadline() const noexcept {
  if (!overdue_.empty() || !due_.empty()) return instant_of(tick_);
  const std::optional<Stop> stop = next_stop();
  return stop ? instant_of(stop->tick) : never;
}

bool TimerWheel::empty() const noexcept {
  return overdue_.empty() && due_.empty() && !next_stop().has_value();
}

}  // namespace penstock

// TimerWheel: single behaviours, and a comparison with a naive model over random schedules from a
// millisecond to decades.
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "penstock/time/timer_wheel.h"

namespace penstock {
namespace {

constexpr Instant start = Instant(1234567891us);

/// Names of the timers that advance() gave back, in order.
std::vector<int> fired(TimerWheel& wheel, Instant now) {
  std::vector<int> names;
  wheel.advance(now, [&](Timer& timer) { names.push_back(*static_cast<int*>(timer.owner)); });
  return names;
}

template <std::size_t N>
struct Named {
  std::array<int, N> names{};
  std::array<Timer, N> timers;
  Named() {
    for (std::size_t i = 0; i < N; ++i) {
      names[i] = static_cast<int>(i);
      timers[i].owner = &names[i];
    }
  }
  Timer& operator[](std::size_t i) { return timers[i]; }
};

TEST_CASE("a timer fires at most one tick late and never early", "[time]") {
  TimerWheel wheel(start);
  Named<1> named;
  const Duration wait =
      GENERATE(1ns, 999'999ns, Duration(1ms), Duration(63ms), Duration(64ms), 64ms + 1ns,
               Duration(65ms), Duration(4095ms), Duration(4096ms), Duration(1h), 24h - 1ns,
               Duration(24h * 365), Duration(24h * 365 * 30));
  wheel.schedule(named[0], start + wait);
  CHECK(fired(wheel, start + wait - 1ns).empty());
  CHECK(named[0].scheduled());
  CHECK(fired(wheel, start + wait + 999'999ns) == std::vector{0});
  CHECK_FALSE(named[0].scheduled());
  CHECK(wheel.empty());
}

TEST_CASE("a deadline that has passed fires at the next advance", "[time]") {
  TimerWheel wheel(start);
  Named<2> named;
  wheel.schedule(named[0], start - 1s);
  CHECK(wheel.next_deadline() <= start);
  CHECK(fired(wheel, start) == std::vector{0});
  CHECK(fired(wheel, start + 10s).empty());
  wheel.schedule(named[1], start + 10s);
  CHECK(fired(wheel, start + 10s) == std::vector{1});
}

TEST_CASE("timers fire in the order of their ticks, however far the clock jumps", "[time]") {
  TimerWheel wheel(start);
  Named<6> named;
  const std::array<Duration, 6> waits{3h, 5ms, 70ms, 2s, 71ms, 100h};
  for (std::size_t i = 0; i < waits.size(); ++i) wheel.schedule(named[i], start + waits[i]);
  CHECK(fired(wheel, start + 200h) == std::vector{1, 2, 4, 3, 0, 5});
}

TEST_CASE("moving a timer forgets its old deadline", "[time]") {
  TimerWheel wheel(start);
  Named<1> named;
  wheel.schedule(named[0], start + 10ms);
  wheel.schedule(named[0], start + 20s);
  CHECK(named[0].deadline() == start + 20s);
  CHECK(fired(wheel, start + 19s).empty());
  wheel.schedule(named[0], start + 19s + 5ms);
  CHECK(fired(wheel, start + 19s + 6ms) == std::vector{0});
}

TEST_CASE("a cancelled or destroyed timer never fires and leaves the wheel empty", "[time]") {
  TimerWheel wheel(start);
  Named<1> named;
  wheel.schedule(named[0], start + 10ms);
  wheel.cancel(named[0]);
  wheel.cancel(named[0]);
  CHECK(wheel.empty());
  CHECK(wheel.next_deadline() == never);

  std::optional<Timer> gone(std::in_place);
  wheel.schedule(*gone, start + 2h);
  CHECK_FALSE(wheel.empty());
  gone.reset();
  CHECK(wheel.empty());
  CHECK(wheel.next_deadline() == never);
  CHECK(fired(wheel, start + 3h).empty());
}

TEST_CASE("a callback that schedules for now or the past does not fire again in the same advance",
          "[time]") {
  TimerWheel wheel(start);
  Named<1> named;
  wheel.schedule(named[0], start + 1ms);
  int calls = 0;
  const auto again = [&](Timer& timer) {
    ++calls;
    wheel.schedule(timer, start + 1ms);
  };
  wheel.advance(start + 1ms, again);
  CHECK(calls == 1);
  wheel.advance(start + 1ms, again);
  CHECK(calls == 2);
}

TEST_CASE("a callback may cancel and move timers that are due as well", "[time]") {
  TimerWheel wheel(start);
  Named<4> named;
  for (std::size_t i = 0; i < 4; ++i) wheel.schedule(named[i], start + 1ms * (i + 1));
  std::vector<int> names;
  wheel.advance(start + 4ms, [&](Timer& timer) {
    names.push_back(*static_cast<int*>(timer.owner));
    if (names.size() > 1) return;
    wheel.cancel(named[1]);
    wheel.schedule(named[2], start + 1h);
  });
  CHECK(names == std::vector{0, 3});
  CHECK(fired(wheel, start + 1h) == std::vector{2});
}

TEST_CASE("the next deadline leads to a far timer in one step a level", "[time]") {
  TimerWheel wheel(start);
  Named<1> named;
  const Instant deadline = start + 29h + 17min + 3s + 141ms;
  wheel.schedule(named[0], deadline);
  int steps = 0;
  std::vector<int> names;
  Instant now = start;
  while (names.empty()) {
    REQUIRE(wheel.next_deadline() > now);
    REQUIRE(wheel.next_deadline() <= deadline);
    now = wheel.next_deadline();
    names = fired(wheel, now);
    ++steps;
  }
  CHECK(now == deadline);
  CHECK(steps <= 6);
}

TEST_CASE("a timer that waits for ever costs nothing and fires never", "[time]") {
  TimerWheel wheel(Instant(-5h));  // before the epoch: `never` minus this does not fit a Duration
  Named<1> named;
  wheel.schedule(named[0], never);
  CHECK(wheel.next_deadline() > Instant(24h * 365 * 2));
  CHECK(fired(wheel, Instant(24h * 365 * 100)).empty());
  CHECK(named[0].scheduled());
}

/// What the wheel has to do, said simply: a deadline in ticks for each timer, all of them looked at
/// each time.
struct Model {
  struct Entry {
    std::uint64_t tick = 0;
    bool scheduled = false;
    bool due_in_this_advance = false;
  };
  std::vector<Entry> entries;

  static std::uint64_t ticks(Duration since_start, std::int64_t round_up_ns) {
    return static_cast<std::uint64_t>((since_start.count() + round_up_ns) / 1'000'000);
  }
  void schedule(std::size_t i, Duration since_start) {
    const Duration from_start = std::max(since_start, Duration::zero());
    entries[i] = {ticks(from_start, 999'999), true, false};
  }
  void cancel(std::size_t i) { entries[i] = {}; }
  void begin(Duration now) {
    for (Entry& entry : entries) {
      entry.due_in_this_advance = entry.scheduled && entry.tick <= ticks(now, 0);
    }
  }
  [[nodiscard]] std::optional<std::uint64_t> earliest() const {
    std::optional<std::uint64_t> tick;
    for (const Entry& entry : entries) {
      if (entry.scheduled && (!tick || entry.tick < *tick)) tick = entry.tick;
    }
    return tick;
  }
  [[nodiscard]] bool all_due_fired() const {
    for (const Entry& entry : entries) {
      if (entry.due_in_this_advance) return false;
    }
    return true;
  }
};

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed) : random_(seed), wheel_(start) {
    model_.entries.resize(timers_.size());
    for (Timer& timer : timers_) timer.owner = this;
    // Some runs begin shortly before the levels wrap around, which a process sees after 795 days.
    if (seed % 3 == 0) now_ = Duration(1ms) * ((std::int64_t{1} << 36) - 1000);
    if (seed % 3 == 1) now_ = distance();
    wheel_.advance(start + now_, [](Timer&) {});
  }

  void step() {
    for (int i = 0; i < 4; ++i) change_one();
    CHECK(wheel_.empty() == !model_.earliest().has_value());
    check_next_deadline();
    const bool follow = random_() % 2 == 0 && wheel_.next_deadline() != never;
    now_ = std::max(now_, follow ? wheel_.next_deadline() - start : now_ + distance());
    model_.begin(now_);
    wheel_.advance(start + now_, [this](Timer& timer) { on_due(timer); });
    CHECK(model_.all_due_fired());
  }

 private:
  /// From nanoseconds to about 200 days, each magnitude as likely as any other.
  Duration distance() {
    const auto bits = static_cast<int>(random_() % 54);
    return Duration(static_cast<Duration::rep>(random_() >> 10 >> (53 - bits)));
  }
  void change_one() {
    const std::size_t i = random_() % timers_.size();
    if (random_() % 4 == 0) {
      wheel_.cancel(timers_[i]);
      model_.cancel(i);
      return;
    }
    const Duration at = now_ + (random_() % 8 == 0 ? -distance() : distance());
    wheel_.schedule(timers_[i], start + at);
    model_.schedule(i, at);
  }
  void on_due(Timer& timer) {
    const auto i = static_cast<std::size_t>(&timer - timers_.data());
    REQUIRE(timer.owner == this);
    REQUIRE(model_.entries[i].due_in_this_advance);
    REQUIRE(timer.deadline() <= start + now_);
    model_.cancel(i);
    if (random_() % 3 == 0) change_one();
  }
  void check_next_deadline() {
    const std::optional<std::uint64_t> tick = model_.earliest();
    REQUIRE((wheel_.next_deadline() == never) == !tick.has_value());
    if (!tick) return;
    const Instant due = start + Duration(1ms) * static_cast<std::int64_t>(*tick);
    REQUIRE(wheel_.next_deadline() <= std::max(due, start + now_));
    // Early by the width of a slot at most: what is due in a later tick does not make the caller
    // spin.
    if (due > start + now_) REQUIRE(wheel_.next_deadline() > start + now_);
  }

  std::mt19937_64 random_;
  TimerWheel wheel_;
  Duration now_{};
  std::array<Timer, 40> timers_;
  Model model_;
};

TEST_CASE("the wheel does what a naive model does", "[time]") {
  const int seed = GENERATE(range(0, 60));
  CAPTURE(seed);
  RandomRun run(static_cast<std::uint64_t>(seed));
  for (int step = 0; step < 400; ++step) run.step();
}

}  // namespace
}  // namespace penstock

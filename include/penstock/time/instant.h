// Instant and Duration: the only notion of time below the supervisor. An Instant is read once per
// loop turn from io::Kernel::now() (CLOCK_MONOTONIC, or the simulator's virtual clock) and passed
// down; nothing else asks a clock.
#pragma once

#include <chrono>

namespace penstock {

/// Nanoseconds. "No limit" is never a Duration; options that may be off are std::optional or zero,
/// as their comment says.
using Duration = std::chrono::nanoseconds;

/// A clock without now(): makes Instant a type of its own that only io::Kernel can produce.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic, duration>;
  static constexpr bool is_steady = true;
};
using Instant = Monotonic::time_point;

/// Later than anything that happens.
inline constexpr Instant never = Instant::max();

using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers): 20ms, 3s
                                       // everywhere

}  // namespace penstock

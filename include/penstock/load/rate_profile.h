// RateProfile: how many operations per second are asked for over the run, piece by piece. A value,
// made from the command line and read by each worker's Timeline (arrivals.h).
#pragma once

#include <vector>

#include "penstock/time/instant.h"

namespace penstock::load {

/// The rate goes from one to the other in a straight line. Both are at least 0 and finite, the
/// length is above 0.
struct RateSegment {
  double from_per_second;
  double to_per_second;
  Duration length;

  friend bool operator==(const RateSegment&, const RateSegment&) = default;
};

/// One segment after the other; the rate may jump between them.
using RateProfile = std::vector<RateSegment>;

[[nodiscard]] double seconds(Duration duration) noexcept;
[[nodiscard]] Duration length_of(const RateProfile& profile) noexcept;
/// The area below the profile after one more segment. What misses a whole number by rounding only
/// is that number: 333.3 per second over 10 s are 3333.
[[nodiscard]] double starts_after(double before, const RateSegment& segment) noexcept;
/// How many operations the profile asks for: the area below it.
[[nodiscard]] double starts_in(const RateProfile& profile) noexcept;

}  // namespace penstock::load

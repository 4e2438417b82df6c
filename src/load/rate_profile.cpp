// Sums over the segments of a rate profile.
#include "penstock/load/rate_profile.h"

#include <algorithm>
#include <cmath>

namespace penstock::load {

double seconds(Duration duration) noexcept { return static_cast<double>(duration.count()) / 1e9; }

Duration length_of(const RateProfile& profile) noexcept {
  Duration length = Duration::zero();
  for (const RateSegment& segment : profile) length += segment.length;
  return length;
}

double starts_after(double before, const RateSegment& segment) noexcept {
  const double rate = (segment.from_per_second + segment.to_per_second) / 2;
  const double after = before + (rate * seconds(segment.length));
  const double whole = std::round(after);
  return std::abs(after - whole) < 1e-9 * std::max(after, 1.0) ? whole : after;
}

double starts_in(const RateProfile& profile) noexcept {
  double starts = 0;
  for (const RateSegment& segment : profile) starts = starts_after(starts, segment);
  return starts;
}

}  // namespace penstock::load

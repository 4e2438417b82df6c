// Starts are drawn where the rate is 1, on the axis of the starts so far, and carried back through
// the inverse of the area below the rate. So a ramp is as exact as a constant rate, and what one
// worker does is independent of the others.
#include "penstock/load/arrivals.h"

#include <algorithm>
#include <cmath>

#include "penstock/base/assert.h"

namespace penstock::load {
namespace {

/// After how long a segment has had so many starts.
Duration time_of(double starts, const RateSegment& segment) noexcept {
  if (starts <= 0) return Duration::zero();
  const double from = segment.from_per_second;
  const double slope = (segment.to_per_second - from) / seconds(segment.length);
  // from*t + slope*t*t/2 = starts, solved without a difference of nearly equal numbers; a slope of
  // zero needs no case of its own. Rounding may take the end of a ramp down to 0 below the root.
  const double root = std::sqrt(std::max((from * from) + (2 * slope * starts), 0.0));
  const double after = 2 * starts / (from + root);
  // Where the rate is almost nothing the end is as far as it goes.
  if (!(after < seconds(segment.length))) return segment.length;
  return std::min(Duration(std::llround(after * 1e9)), segment.length);
}

/// The run's seed gives as many as there are workers, in their order.
Random random_of(const TimelineOptions& options) noexcept {
  Random seeds(options.seed);
  std::uint64_t own = seeds.next();
  for (std::uint32_t worker = 0; worker < options.worker; ++worker) own = seeds.next();
  return Random(own);
}

}  // namespace

Timeline::Timeline(const TimelineOptions& options)
    : arrival_(options.arrival),
      burst_(options.burst),
      workers_(options.workers),
      number_(options.worker),
      random_(random_of(options)) {
  PENSTOCK_ASSERT(options.worker < options.workers && options.burst > 0);
  Duration begin = Duration::zero();
  double starts = 0;
  for (const RateSegment& segment : options.profile) {
    PENSTOCK_ASSERT(segment.from_per_second >= 0 && std::isfinite(segment.from_per_second));
    PENSTOCK_ASSERT(segment.to_per_second >= 0 && std::isfinite(segment.to_per_second));
    PENSTOCK_ASSERT(segment.length > Duration::zero());
    const double after = starts_after(starts, segment);
    pieces_.push_back(
        {.segment = segment, .begin = begin, .starts_before = starts, .starts_after = after});
    begin += segment.length;
    starts = after;
  }
  find_next();
}

void Timeline::advance() noexcept {
  PENSTOCK_ASSERT(next_.has_value());
  number_ += workers_;
  find_next();
}

double Timeline::draw() noexcept {
  if (arrival_ == Arrival::uniform) return static_cast<double>(number_ - (number_ % burst_));
  if (left_ == 0) {
    gaps_ += burst_ * random_.exponential();
    left_ = burst_;
  }
  --left_;
  return gaps_ * workers_;
}

void Timeline::find_next() noexcept {
  const double starts = draw();
  while (piece_ < pieces_.size() && starts >= pieces_[piece_].starts_after) ++piece_;
  if (piece_ == pieces_.size()) {
    next_.reset();
    return;
  }
  const Piece& piece = pieces_[piece_];
  const Duration at = piece.begin + time_of(starts - piece.starts_before, piece.segment);
  // Two starts within a nanosecond may be rounded past each other.
  next_ = std::max(at, next_.value_or(Duration::zero()));
}

}  // namespace penstock::load

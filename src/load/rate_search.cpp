// Doubling, halving, the middle.
#include "rate_search.h"

#include <algorithm>
#include <cmath>

#include "penstock/load/rate_profile.h"

namespace penstock::load {
namespace {

/// Below one operation a second there is nothing to find.
constexpr double lowest_rate = 1;

}  // namespace

std::optional<double> RateSearch::next() const noexcept {
  if (next_ < lowest_rate || next_ > highest_rate) return std::nullopt;
  const bool narrow = best_ && lowest_failed_ && *lowest_failed_ <= *best_ * (1 + precision_);
  return narrow ? std::nullopt : std::optional(next_);
}

void RateSearch::tell(bool holds) noexcept {
  if (!holds && !again_) {
    again_ = true;
    return;
  }
  again_ = false;
  (holds ? best_ : lowest_failed_) = next_;
  if (!lowest_failed_) {
    next_ = *best_ * 2;
  } else if (!best_) {
    next_ = *lowest_failed_ / 2;
  } else {
    // Evenly as a ratio: from 1k and 2k to 1.41k.
    next_ = std::sqrt(*best_ * *lowest_failed_);
  }
}

}  // namespace penstock::load

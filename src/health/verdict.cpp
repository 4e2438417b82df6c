// The hysteresis itself: a streak of contradicting probes, nothing more. A single agreeing probe
// ends the streak, so that a backend which flaps at the check period keeps its state.
#include "penstock/health/verdict.h"

namespace penstock::health {

bool Verdict::probed(bool succeeded) noexcept {
  // Until the first verdict "up" is only assumed; one success confirms it, `fall` failures overturn
  // it.
  if (succeeded) decided_ = true;
  if (succeeded == up_) {
    streak_ = 0;
    return false;
  }
  ++streak_;
  if (streak_ < (up_ ? fall_ : rise_)) return false;
  up_ = succeeded;
  streak_ = 0;
  decided_ = true;
  return true;
}

}  // namespace penstock::health

// Verdict: turns probe results into up or down with hysteresis. Pure: it knows neither time nor
// sockets, one of it belongs to each checked backend. Own shortages (no descriptor for a probe) are
// never shown to it.
#pragma once

namespace penstock::health {

class Verdict {
 public:
  /// Both at least 1.
  struct Thresholds {
    int rise;
    int fall;
  };
  explicit Verdict(Thresholds thresholds) noexcept
      : rise_(thresholds.rise), fall_(thresholds.fall) {}

  /// Takes one probe's result; true when the state changed. A backend is up until `fall` probes in
  /// a row failed, and up again after `rise` in a row succeeded.
  [[nodiscard]] bool probed(bool succeeded) noexcept;
  /// A new backend counts as up.
  [[nodiscard]] bool up() const noexcept { return up_; }
  /// Probes in a row that contradict the state; 0 right after a change.
  [[nodiscard]] int streak() const noexcept { return streak_; }
  /// A first verdict exists: a probe succeeded, or `fall` in a row failed.
  [[nodiscard]] bool decided() const noexcept { return decided_; }

 private:
  int rise_;
  int fall_;
  int streak_ = 0;
  bool up_ = true;
  bool decided_ = false;
};

}  // namespace penstock::health

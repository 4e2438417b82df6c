// RateProfile: how many operations per second are asked for over the run, piece by piece. A value,
// made from the command line and read by each worker's Timeline (arrivals.h).
#pragma once

#include <string_view>
#include <vector>

#include "penstock/base/result.h"
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
/// And how many of them before `time`.
[[nodiscard]] double starts_until(const RateProfile& profile, Duration time) noexcept;

/// More than any machine's sockets do; keeps sums far from where doubles lose whole numbers.
inline constexpr double highest_rate = 1e9;
/// A year.
inline constexpr Duration longest_run = 8760h;

/// A number as units.h has it, "/s" behind it or not: "5000", "5k", "1.5M/s". Above 0 and at most
/// highest_rate. Errors here and below are sentences that quote what is wrong.
[[nodiscard]] Result<double> parse_rate(std::string_view text);
/// From, to and how long: "1k:10k:30s". One of the rates may be 0.
[[nodiscard]] Result<RateProfile> parse_ramp(std::string_view text);
/// Rates, and how long each lasts: "1k,2k,4k@10s". A rate may be 0 where another is not.
[[nodiscard]] Result<RateProfile> parse_steps(std::string_view text);

}  // namespace penstock::load

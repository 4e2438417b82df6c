// Rate profiles from the command line, and sums over their segments.
#include "penstock/load/rate_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "penstock/config/values.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr std::string_view ramp_form = "a ramp is from:to:duration, such as \"1k:10k:30s\"";
constexpr std::string_view steps_form =
    "steps are rates separated by commas and, behind an @, the duration of each, such as "
    "\"1k,2k,4k@10s\"";

Result<double> parse_rate_or_zero(std::string_view text) {
  const std::string_view number = text.ends_with("/s") ? text.substr(0, text.size() - 2) : text;
  const auto rate = parse_number(number);
  if (!rate) return fail(fmt::format("cannot read a rate: {}", rate.error().message));
  if (*rate > highest_rate) {
    return fail(fmt::format("the rate \"{}\" is too high: at most {}/s can be asked for", text,
                            number_text(highest_rate)));
  }
  return *rate;
}

Result<Duration> parse_length(std::string_view text) {
  const auto length = config::parse_duration(text);
  if (!length) return fail(fmt::format("cannot read a duration: {}", length.error().message));
  if (*length == Duration::zero()) {
    return fail(fmt::format("the duration \"{}\" is too short: it must be above zero", text));
  }
  return *length;
}

/// The whole profile has to ask for something, and within a time whose nanoseconds can be counted.
Result<RateProfile> judged(RateProfile profile, std::string_view text) {
  double length = 0;
  for (const RateSegment& segment : profile) length += seconds(segment.length);
  if (length > seconds(longest_run)) {
    return fail(fmt::format("\"{}\" lasts too long: a run can have {}", text,
                            config::duration_text(longest_run)));
  }
  if (starts_in(profile) > 0) return profile;
  return fail(fmt::format("\"{}\" asks for nothing: a rate must be above zero", text));
}

}  // namespace

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
  return starts_until(profile, Duration::max());
}

double starts_until(const RateProfile& profile, Duration time) noexcept {
  double starts = 0;
  for (RateSegment segment : profile) {
    if (time <= Duration::zero()) break;
    if (time < segment.length) {
      const double slope = segment.to_per_second - segment.from_per_second;
      segment.to_per_second =
          segment.from_per_second + (slope * seconds(time) / seconds(segment.length));
      segment.length = time;
    }
    starts = starts_after(starts, segment);
    time -= segment.length;
  }
  return starts;
}

Result<double> parse_rate(std::string_view text) {
  const auto rate = parse_rate_or_zero(text);
  if (rate && *rate <= 0) {
    return fail(fmt::format("the rate \"{}\" is too low: it must be above zero", text));
  }
  return rate;
}

Result<RateProfile> parse_ramp(std::string_view text) {
  const std::size_t first = text.find(':');
  const std::size_t last = text.rfind(':');
  if (std::ranges::count(text, ':') != 2) {
    return fail(fmt::format("\"{}\" is not a ramp: {}", text, ramp_form));
  }
  const auto from = parse_rate_or_zero(text.substr(0, first));
  if (!from) return std::unexpected(from.error());
  const auto to = parse_rate_or_zero(text.substr(first + 1, last - first - 1));
  if (!to) return std::unexpected(to.error());
  const auto length = parse_length(text.substr(last + 1));
  if (!length) return std::unexpected(length.error());
  return judged({{.from_per_second = *from, .to_per_second = *to, .length = *length}}, text);
}

Result<RateProfile> parse_steps(std::string_view text) {
  const std::size_t separator = text.find('@');
  if (separator == std::string_view::npos) {
    return fail(fmt::format("\"{}\" has no duration: {}", text, steps_form));
  }
  const auto length = parse_length(text.substr(separator + 1));
  if (!length) return std::unexpected(length.error());
  const std::string_view rates = text.substr(0, separator);
  RateProfile profile;
  for (std::size_t at = 0; at <= rates.size();) {
    const std::size_t comma = std::min(rates.find(',', at), rates.size());
    const auto rate = parse_rate_or_zero(rates.substr(at, comma - at));
    if (!rate) return std::unexpected(rate.error());
    profile.push_back({.from_per_second = *rate, .to_per_second = *rate, .length = *length});
    at = comma + 1;
  }
  return judged(std::move(profile), text);
}

}  // namespace penstock::load

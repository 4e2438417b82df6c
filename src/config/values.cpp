// Durations, sizes and HTTP statuses as text. The errors are written for somebody who has never
// seen the format.
#include "penstock/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

#include "text.h"

namespace penstock::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t scale;
};

constexpr std::array duration_units = {Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000},
                                       Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000}};
constexpr std::array fine_duration_units = {Unit{"ns", 1},     Unit{"us", 1000},
                                            duration_units[0], duration_units[1],
                                            duration_units[2], duration_units[3]};
constexpr std::array size_units = {Unit{"B", 1}, Unit{"KiB", 1LL << 10}, Unit{"MiB", 1LL << 20},
                                   Unit{"GiB", 1LL << 30}};
constexpr std::string_view duration_form =
    "a duration is a whole number and one of ms, s, m, h, such as \"250ms\"";
constexpr std::string_view fine_duration_form =
    "a duration is a whole number and one of ns, us, ms, s, m, h, such as \"250us\"";
constexpr std::string_view size_form =
    "a size is a whole number and one of B, KiB, MiB, GiB, such as \"64KiB\"";

constexpr std::string_view digits = "0123456789";

/// Number and unit with nothing else, scaled.
Result<std::int64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                    std::string_view form) {
  const std::string_view number = text.substr(0, text.find_first_not_of(digits));
  const std::string_view unit = text.substr(number.size());
  if (number.empty())
    return fail(fmt::format("{} does not start with a digit: {}", quote(text), form));
  if (unit.empty()) return fail(fmt::format("{} has no unit: {}", quote(text), form));
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (code != std::errc{} || value > std::numeric_limits<std::int64_t>::max() / known.scale) {
      return fail(fmt::format("{} is too large", quote(text)));
    }
    return value * known.scale;
  }
  return fail(fmt::format("{} in {} is not a unit: {}", quote(unit), quote(text), form));
}

/// The whole text as a decimal number of at most three digits.
std::optional<int> parse_status(std::string_view text) {
  if (text.size() != 3 || text.find_first_not_of(digits) != std::string_view::npos)
    return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value >= 100 && value <= 599 ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto value = parse_quantity(text, duration_units, duration_form);
  if (!value) return std::unexpected(value.error());
  return Duration(*value);
}

Result<Duration> parse_fine_duration(std::string_view text) {
  const auto value = parse_quantity(text, fine_duration_units, fine_duration_form);
  if (!value) return std::unexpected(value.error());
  return Duration(*value);
}

std::string duration_text(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms % 1000 != 0) return fmt::format("{}ms", ms);
  if (ms % 60'000 != 0 || ms == 0) return fmt::format("{}s", ms / 1000);
  if (ms % 3'600'000 != 0) return fmt::format("{}m", ms / 60'000);
  return fmt::format("{}h", ms / 3'600'000);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto value = parse_quantity(text, size_units, size_form);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint64_t>(*value);
}

std::string size_text(std::uint64_t bytes) {
  const Unit* unit = size_units.data();
  for (const Unit& larger : size_units) {
    if (bytes > 0 && bytes % static_cast<std::uint64_t>(larger.scale) == 0) unit = &larger;
  }
  return fmt::format("{}{}", bytes / static_cast<std::uint64_t>(unit->scale), unit->name);
}

Result<std::vector<StatusRange>> parse_statuses(std::string_view text) {
  std::vector<StatusRange> ranges;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = text.substr(at, comma - at);
    const std::size_t dash = part.find('-');
    const auto first = parse_status(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_status(part.substr(dash + 1));
    if (!first || !last) {
      return fail(fmt::format(
          "{} is not a status or a range of them: write statuses from 100 to 599, such as "
          "\"200-399\", \"200\" or \"200,204\"",
          quote(part)));
    }
    if (*first > *last) return fail(fmt::format("the range {} is backwards", quote(part)));
    // 101 ends a request that asked for another protocol: the one status below 200 that is final.
    constexpr int switching = 101;
    if (*last < 200 && (*first != switching || *last != switching)) {
      return fail(fmt::format(
          "{} never matches: statuses below 200 are interim, and a check waits for the final one",
          quote(part)));
    }
    ranges.push_back({*first, *last});
    at = comma + 1;
  }
  return ranges;
}

}  // namespace penstock::config

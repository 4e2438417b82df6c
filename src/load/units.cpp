// Numbers with a unit in front of which one to three digits stand, read and written.
#include "penstock/load/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace penstock::load {
namespace {

struct Unit {
  std::string_view name;
  double scale;
};

constexpr std::array duration_units = {Unit{"ns", 1}, Unit{"us", 1e3}, Unit{"ms", 1e6},
                                       Unit{"s", 1e9}};
constexpr std::array number_units = {Unit{"", 1}, Unit{"k", 1e3}, Unit{"M", 1e6}};

std::string scaled_text(double value, std::span<const Unit> units, int digits) {
  std::size_t chosen = 0;
  // 999.6us is 1ms when three digits are shown.
  const double rounded_up = 1000 - (0.5 * std::pow(10.0, 3 - digits));
  while (chosen + 1 < units.size() && std::abs(value) / units[chosen].scale >= rounded_up) {
    ++chosen;
  }
  const double scaled = value / units[chosen].scale;
  // The general form would write what does not fit the digits with an exponent.
  const std::string text = std::abs(scaled) >= std::pow(10.0, digits)
                               ? fmt::format("{:.0f}", scaled)
                               : fmt::format("{:.{}g}", scaled, digits);
  return fmt::format("{}{}", text, units[chosen].name);
}

}  // namespace

std::string duration_text(Duration duration, int digits) {
  return scaled_text(static_cast<double>(duration.count()), duration_units, digits);
}

std::string number_text(double number, int digits) {
  return scaled_text(number, number_units, digits);
}

Result<double> parse_number(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
  const std::string_view suffix = text.substr(digits.size());
  double number = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  for (const Unit& unit : number_units) {
    if (suffix != unit.name || code != std::errc() || end != digits.data() + digits.size())
      continue;
    return number * unit.scale;
  }
  return fail(fmt::format(
      "\"{}\" is not a number: write digits, and k for thousands or M for millions behind them "
      "where you like, such as \"5000\", \"5k\" or \"1.5M\"",
      text));
}

}  // namespace penstock::load

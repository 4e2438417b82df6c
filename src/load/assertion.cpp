// One table of metrics, from which the parser, its errors and the texts are made.
#include "penstock/load/assertion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "http_text.h"
#include "penstock/base/assert.h"
#include "penstock/config/values.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

enum class Quantity : std::uint8_t { duration, count, share, number };

struct Known {
  std::string_view name;
  Metric metric;
  Quantity quantity;
};

constexpr std::array known_metrics = {
    Known{"mean", Metric::mean, Quantity::duration},
    Known{"min", Metric::min, Quantity::duration},
    Known{"max", Metric::max, Quantity::duration},
    Known{"lag", Metric::lag, Quantity::duration},
    Known{"err", Metric::errors, Quantity::count},
    Known{"lost", Metric::lost, Quantity::count},
    Known{"rate", Metric::rate, Quantity::share},
    Known{"ops", Metric::operations, Quantity::number},
};

struct Sign {
  std::string_view text;
  Comparison comparison;
};

/// Longer ones first: "<=" begins with "<".
constexpr std::array signs = {
    Sign{"<=", Comparison::at_most}, Sign{">=", Comparison::at_least},
    Sign{"==", Comparison::equal},   Sign{"!=", Comparison::not_equal},
    Sign{"<", Comparison::less},     Sign{">", Comparison::more},
};

/// The number behind the p of "p99.9".
std::optional<double> percent_of(std::string_view name) {
  if (!name.starts_with('p')) return std::nullopt;
  const std::string_view digits = name.substr(1);
  if (digits.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  double percent = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  const bool whole = code == std::errc() && end == digits.data() + digits.size();
  return whole && percent <= 100 ? std::optional(percent) : std::nullopt;
}

Result<Quantity> read_metric(std::string_view name, Condition& condition) {
  if (const auto percent = percent_of(name)) {
    condition.metric = Metric::percentile;
    condition.percent = *percent;
    return Quantity::duration;
  }
  const auto* const found = std::ranges::find(known_metrics, name, &Known::name);
  if (found != known_metrics.end()) {
    condition.metric = found->metric;
    return found->quantity;
  }
  std::string names;
  for (const Known& known : known_metrics) names += fmt::format(", {}", known.name);
  return fail(
      fmt::format("\"{}\" is not a metric; there are p0 to p100 (such as p99.9){}", name, names));
}

Result<double> read_share(std::string_view text) {
  const bool in_percent = text.ends_with('%');
  const auto number = parse_number(text.substr(0, text.size() - (in_percent ? 1 : 0)));
  if (!number) return std::unexpected(number.error());
  return in_percent ? *number / 100 : *number;
}

Result<double> read_bound(std::string_view text, Quantity quantity, Condition& condition) {
  switch (quantity) {
    case Quantity::duration: {
      const auto duration = config::parse_fine_duration(text);
      if (!duration) return std::unexpected(duration.error());
      return static_cast<double>(duration->count());
    }
    case Quantity::count:
      if (condition.metric == Metric::errors && text.ends_with('%')) {
        condition.metric = Metric::error_share;
        return read_share(text);
      }
      return parse_number(text);
    case Quantity::share:
      return read_share(text);
    case Quantity::number:
      return parse_number(text);
  }
  PENSTOCK_UNREACHABLE("a quantity without a bound");
}

Result<Condition> parse_condition(std::string_view text) {
  const std::size_t at = std::min(text.find_first_of("<>=!"), text.size());
  const std::string_view rest = text.substr(at);
  const auto* const sign =
      std::ranges::find_if(signs, [&](const Sign& one) { return rest.starts_with(one.text); });
  if (sign == signs.end()) {
    return fail(
        fmt::format("\"{}\" does not compare: write a metric, one of < <= > >= == !=, and a "
                    "bound, such as \"p99<2ms\"",
                    text));
  }
  Condition condition;
  condition.comparison = sign->comparison;
  const std::string_view name = trimmed(text.substr(0, at));
  const std::string_view bound = trimmed(rest.substr(sign->text.size()));
  const auto quantity = read_metric(name, condition);
  if (!quantity) return std::unexpected(quantity.error());
  const auto value = read_bound(bound, *quantity, condition);
  if (!value) return fail(fmt::format("the bound of {}: {}", name, value.error().message));
  condition.bound = *value;
  condition.text = fmt::format("{} {} {}", name, sign->text, bound);
  return condition;
}

Duration duration_of(const Condition& condition, const Histogram& histogram) {
  switch (condition.metric) {
    case Metric::percentile:
      return histogram.percentile(condition.percent);
    case Metric::lag:
      return histogram.percentile(99);
    case Metric::mean:
      return histogram.mean();
    case Metric::min:
      return histogram.min();
    case Metric::max:
      return histogram.max();
    default:
      PENSTOCK_UNREACHABLE("a metric that is no duration");
  }
}

/// What the condition is about; nullopt when it was not measured.
std::optional<double> value_of(const Condition& condition, const Measured& measured) {
  switch (condition.metric) {
    case Metric::percentile:
    case Metric::mean:
    case Metric::min:
    case Metric::max:
    case Metric::lag: {
      const Histogram* from = condition.metric == Metric::lag ? measured.lag : measured.latency;
      if (from == nullptr || from->count() == 0) return std::nullopt;
      return static_cast<double>(duration_of(condition, *from).count());
    }
    case Metric::errors:
      return static_cast<double>(measured.errors);
    case Metric::error_share:
      if (measured.operations == 0) return std::nullopt;
      return static_cast<double>(measured.errors) / static_cast<double>(measured.operations);
    case Metric::rate:
      if (measured.asked_per_second <= 0) return std::nullopt;
      return measured.achieved_per_second / measured.asked_per_second;
    case Metric::operations:
      return measured.achieved_per_second;
    case Metric::lost:
      return static_cast<double>(measured.lost);
  }
  PENSTOCK_UNREACHABLE("a metric without a value");
}

std::string text_of(Metric metric, double value, int digits) {
  switch (metric) {
    case Metric::percentile:
    case Metric::mean:
    case Metric::min:
    case Metric::max:
    case Metric::lag:
      return duration_text(Duration(std::llround(value)), digits);
    case Metric::errors:
    case Metric::lost:
      return fmt::format("{:.0f}", value);
    case Metric::error_share:
      return fmt::format("{:.{}g}%", value * 100, digits);
    case Metric::rate:
      return fmt::format("{:.{}g}", value, digits);
    case Metric::operations:
      return number_text(value, digits) + "/s";
  }
  PENSTOCK_UNREACHABLE("a metric without a text");
}

bool compare(double value, Comparison comparison, double bound) {
  switch (comparison) {
    case Comparison::less:
      return value < bound;
    case Comparison::at_most:
      return value <= bound;
    case Comparison::more:
      return value > bound;
    case Comparison::at_least:
      return value >= bound;
    case Comparison::equal:
      return value == bound;
    case Comparison::not_equal:
      return value != bound;
  }
  PENSTOCK_UNREACHABLE("a comparison without a meaning");
}

}  // namespace

Result<std::vector<Condition>> parse_conditions(std::string_view text) {
  std::vector<Condition> conditions;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    auto condition = parse_condition(trimmed(text.substr(at, comma - at)));
    if (!condition) return std::unexpected(condition.error());
    conditions.push_back(std::move(*condition));
    at = comma + 1;
  }
  return conditions;
}

Finding evaluate(const Condition& condition, const Measured& measured) {
  const auto value = value_of(condition, measured);
  if (!value) {
    const std::string_view why =
        condition.metric == Metric::rate ? "no rate was asked for" : "nothing was measured";
    return {.text = fmt::format("{}: {}", condition.text, why), .holds = false};
  }
  constexpr int all_digits = 12;
  std::string shown = text_of(condition.metric, *value, 3);
  // Rounded, what just misses a bound would read as if it were the bound.
  if (*value != condition.bound && shown == text_of(condition.metric, condition.bound, 3)) {
    shown = text_of(condition.metric, *value, all_digits);
  }
  return {.text = fmt::format("{}: {}", condition.text, shown),
          .holds = compare(*value, condition.comparison, condition.bound)};
}

}  // namespace penstock::load

// What is measured, as short text for a person: "1.63ms", "48.2k". Pure.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/time/instant.h"

namespace penstock::load {

/// In the largest of ns, us, ms, s that leaves at least 1, with at most so many significant digits.
[[nodiscard]] std::string duration_text(Duration duration, int digits = 3);

/// "950", "48.2k", "1.5M", with at most so many significant digits.
[[nodiscard]] std::string number_text(double number, int digits = 3);

/// A number from 0, with a point where there is one, and k (thousand) or M (million) or neither:
/// "5000", "5k", "1.5M", "0.99". Error: a clause that follows the name of the value.
[[nodiscard]] Result<double> parse_number(std::string_view text);

}  // namespace penstock::load

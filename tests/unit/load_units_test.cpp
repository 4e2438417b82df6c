// Measured values as short text, and numbers as they are typed.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "penstock/load/units.h"

namespace penstock::load {

TEST_CASE("a duration is shown with three digits in the unit that fits", "[load]") {
  CHECK(duration_text(0ns) == "0ns");
  CHECK(duration_text(7ns) == "7ns");
  CHECK(duration_text(1234ns) == "1.23us");
  CHECK(duration_text(1'630'400ns) == "1.63ms");
  CHECK(duration_text(2ms) == "2ms");
  CHECK(duration_text(45'678us) == "45.7ms");
  CHECK(duration_text(456'780us) == "457ms");
  CHECK(duration_text(999'400us) == "999ms");
  CHECK(duration_text(999'600us) == "1s");
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(1h) == "3600s");
  CHECK(duration_text(-1500us) == "-1.5ms");
  CHECK(duration_text(2'000'001ns, 12) == "2.000001ms");
}

TEST_CASE("a number is shown with three digits and k or M", "[load]") {
  CHECK(number_text(0) == "0");
  CHECK(number_text(0.25) == "0.25");
  CHECK(number_text(950) == "950");
  CHECK(number_text(48'190) == "48.2k");
  CHECK(number_text(999'700) == "1M");
  CHECK(number_text(1'500'000) == "1.5M");
  CHECK(number_text(12'345'000'000) == "12345M");
}

TEST_CASE("a number may have a point and k or M", "[load]") {
  CHECK(parse_number("5000") == 5000);
  CHECK(parse_number("5k") == 5000);
  CHECK(parse_number("1.5M") == 1'500'000);
  CHECK(parse_number("0.99") == 0.99);
  CHECK(parse_number("0") == 0);
}

TEST_CASE("anything else is no number", "[load]") {
  const auto* text = GENERATE("", "k", ".", "1.2.3", "-1", "+1", "1e3", "inf", "nan", "0x10", "5K",
                              "5 k", " 5", "5G", "five");
  CAPTURE(text);
  const auto number = parse_number(text);
  REQUIRE_FALSE(number.has_value());
  CHECK(number.error().message.starts_with("\"" + std::string(text) + "\" is not a number: "));
}

}  // namespace penstock::load

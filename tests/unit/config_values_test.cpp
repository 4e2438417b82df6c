// Durations, sizes and HTTP statuses as an operator writes them, on the command line or in the
// file.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "penstock/config/values.h"

namespace penstock::config {
namespace {

std::string duration_error(std::string_view text) {
  const auto duration = parse_duration(text);
  return duration ? "none" : duration.error().message;
}

}  // namespace

TEST_CASE("a duration is a whole number and a unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("2s") == 2s);
  CHECK(parse_duration("10m") == 10min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("007s") == 7s);
}

TEST_CASE("what is measured may be as fine as a nanosecond") {
  CHECK(parse_fine_duration("250us") == 250us);
  CHECK(parse_fine_duration("1ns") == 1ns);
  CHECK(parse_fine_duration("2ms") == 2ms);
  CHECK(parse_fine_duration("1h") == 1h);
  const auto wrong = parse_fine_duration("5");
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().message ==
        "\"5\" has no unit: a duration is a whole number and one of ns, us, ms, s, m, h, such as "
        "\"250us\"");
}

TEST_CASE("anything else is no duration") {
  const auto* text = GENERATE("", "s", "10", "10 s", " 10s", "10s ", "1.5s", "-1s", "+1s", "1m30s",
                              "1d", "1us", "10S", "0x10s", "1e3s", "ten s", "10ms\n");
  CAPTURE(text);
  CHECK_FALSE(parse_duration(text).has_value());
}

TEST_CASE("a duration that does not fit is an error, not a wrapped number") {
  CHECK(duration_error("2562047h") == "none");
  CHECK(duration_error("2562048h") == "\"2562048h\" is too large");
  CHECK(duration_error("9223372036854775808ms") == "\"9223372036854775808ms\" is too large");
  CHECK(duration_error("99999999999999999999999999s") ==
        "\"99999999999999999999999999s\" is too large");
}

TEST_CASE("the error of a duration shows what is wrong and what is right") {
  CHECK(
      duration_error("10") ==
      "\"10\" has no unit: a duration is a whole number and one of ms, s, m, h, such as \"250ms\"");
  CHECK(duration_error("5 min").starts_with("\" min\" in \"5 min\" is not a unit: "));
}

TEST_CASE("a duration's text reads back as the same duration") {
  CHECK(duration_text(0s) == "0s");
  CHECK(duration_text(250ms) == "250ms");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(10min) == "10m");
  CHECK(duration_text(8760h) == "8760h");
  const auto duration =
      GENERATE(Duration(0), Duration(1ms), Duration(59s), Duration(3600s), Duration(61min));
  CHECK(parse_duration(duration_text(duration)) == duration);
}

TEST_CASE("a size is a whole number and a unit of powers of two") {
  CHECK(parse_size("1B") == 1u);
  CHECK(parse_size("64KiB") == 65536u);
  CHECK(parse_size("2MiB") == 2097152u);
  CHECK(parse_size("1GiB") == 1073741824u);
  CHECK_FALSE(parse_size("64").has_value());
  CHECK_FALSE(parse_size("64KB").has_value());
  CHECK_FALSE(parse_size("64kib").has_value());
  CHECK_FALSE(parse_size("99999999999GiB").has_value());
}

TEST_CASE("statuses are single ones and ranges, separated by commas") {
  const auto one = parse_statuses("200");
  REQUIRE(one.has_value());
  REQUIRE(one->size() == 1);
  CHECK(one->front().first == 200);
  CHECK(one->front().last == 200);

  const auto several = parse_statuses("200-299,304,401-403");
  REQUIRE(several.has_value());
  REQUIRE(several->size() == 3);
  CHECK((*several)[0].last == 299);
  CHECK((*several)[1].first == 304);
  CHECK((*several)[2].first == 401);
  CHECK((*several)[2].last == 403);
}

TEST_CASE("a range of interim statuses only is refused, whatever stands beside it") {
  CHECK(parse_statuses("101").has_value());
  CHECK(parse_statuses("100-399").has_value());
  const auto* text = GENERATE("100", "100-199", "200,102-103", "199");
  CAPTURE(text);
  const auto refused = parse_statuses(text);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("never matches") != std::string::npos);
}

TEST_CASE("anything else is no set of statuses") {
  const auto* text = GENERATE("", ",", "200,", ",200", "200, 204", "2xx", "99", "600", "0200",
                              "200-", "-200", "300-200", "200-300-400", "200..300");
  CAPTURE(text);
  CHECK_FALSE(parse_statuses(text).has_value());
}

}  // namespace penstock::config

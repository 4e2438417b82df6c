// Rate profiles: what they add up to, and how they are written on the command line.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "penstock/load/rate_profile.h"

namespace penstock::load {
namespace {

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "none" : result.error().message;
}

}  // namespace

TEST_CASE("a profile asks for the area below it", "[load]") {
  const RateProfile profile = {{1000, 1000, 10s}, {1000, 3000, 5s}, {0, 0, 1s}, {500, 0, 2s}};
  CHECK(length_of(profile) == 18s);
  CHECK(starts_in(profile) == 10'000 + 10'000 + 0 + 500);
  CHECK(length_of({}) == 0s);
  CHECK(starts_in({}) == 0);
  CHECK(starts_until(profile, 0s) == 0);
  CHECK(starts_until(profile, 24h) == starts_in(profile));
  CHECK(starts_until({{0, 100, 10s}, {200, 200, 5s}}, 5s) == 125);
  CHECK(starts_until({{0, 100, 10s}, {200, 200, 5s}}, 12s) == 900);
}

TEST_CASE("an area that misses a whole number by rounding is that number", "[load]") {
  CHECK(starts_in({{333.3, 333.3, 10s}}) == 3333);
  CHECK(starts_in({{0.1, 0.1, 1s}, {0.2, 0.2, 1s}, {0.7, 0.7, 1s}}) == 1);
  CHECK(starts_in({{0.1, 0.1, 1s}}) == 0.1);
}

TEST_CASE("a rate is a number with k or M, per second", "[load]") {
  CHECK(parse_rate("5000") == 5000);
  CHECK(parse_rate("5k") == 5000);
  CHECK(parse_rate("5k/s") == 5000);
  CHECK(parse_rate("1.5M") == 1'500'000);
  CHECK(parse_rate("0.1/s") == 0.1);
  CHECK(parse_rate("1000M") == highest_rate);
}

TEST_CASE("a ramp goes from a rate to another over a duration", "[load]") {
  CHECK(parse_ramp("1k:10k:30s") == RateProfile{{1000, 10'000, 30s}});
  CHECK(parse_ramp("10k/s:0:2m") == RateProfile{{10'000, 0, 2min}});
  CHECK(parse_ramp("5:5:250ms") == RateProfile{{5, 5, 250ms}});
}

TEST_CASE("steps are rates that each last as long", "[load]") {
  CHECK(parse_steps("1k,2k,4k@10s") ==
        RateProfile{{1000, 1000, 10s}, {2000, 2000, 10s}, {4000, 4000, 10s}});
  CHECK(parse_steps("100@1m") == RateProfile{{100, 100, 1min}});
  CHECK(parse_steps("0,5k/s,0@1s") == RateProfile{{0, 0, 1s}, {5000, 5000, 1s}, {0, 0, 1s}});
}

TEST_CASE("the errors of rates, ramps and steps quote what is wrong", "[load]") {
  CHECK(error_of(parse_rate("5q")) ==
        "cannot read a rate: \"5q\" is not a number: write digits, and k for thousands or M for "
        "millions behind them where you like, such as \"5000\", \"5k\" or \"1.5M\"");
  CHECK(error_of(parse_rate("0")) == "the rate \"0\" is too low: it must be above zero");
  CHECK(error_of(parse_rate("1001M")) ==
        "the rate \"1001M\" is too high: at most 1000M/s can be asked for");
  CHECK(error_of(parse_ramp("1k:10k")) ==
        "\"1k:10k\" is not a ramp: a ramp is from:to:duration, such as \"1k:10k:30s\"");
  CHECK(error_of(parse_ramp("0:0:30s")) ==
        "\"0:0:30s\" asks for nothing: a rate must be above zero");
  CHECK(error_of(parse_ramp("1:2:0s")) ==
        "the duration \"0s\" is too short: it must be above zero");
  CHECK(error_of(parse_ramp("1:2:3"))
            .starts_with("cannot read a duration: \"3\" has no unit: a duration is "));
  CHECK(error_of(parse_steps("1,2@4381h")) == "\"1,2@4381h\" lasts too long: a run can have 8760h");
  CHECK(error_of(parse_ramp("1:2:2562047h")).starts_with("\"1:2:2562047h\" lasts too long"));
  CHECK(error_of(parse_steps("1k,2k")).starts_with("\"1k,2k\" has no duration: steps are "));
}

TEST_CASE("anything else is no rate, ramp or steps", "[load]") {
  const auto* text = GENERATE("", " ", "k", "-5", "5/m", "5//s", "1e3", "5 k", "/s", "@", ":",
                              "::", "1k:2k:3k:4s", "a:1:1s", "1:b:1s", "1:2:c", ":1:1s", "1,2",
                              ",@1s", "1,,2@1s", "1,2,@1s", "1@", "1@1s@2s", "1@1.5s", "0@1s");
  CAPTURE(text);
  CHECK_FALSE(parse_rate(text).has_value());
  CHECK_FALSE(parse_ramp(text).has_value());
  CHECK_FALSE(parse_steps(text).has_value());
}

}  // namespace penstock::load

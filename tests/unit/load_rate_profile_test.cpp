// Rate profiles: what they add up to.
#include <catch2/catch_test_macros.hpp>

#include "penstock/load/rate_profile.h"

namespace penstock::load {

TEST_CASE("a profile asks for the area below it", "[load]") {
  const RateProfile profile = {{1000, 1000, 10s}, {1000, 3000, 5s}, {0, 0, 1s}, {500, 0, 2s}};
  CHECK(length_of(profile) == 18s);
  CHECK(starts_in(profile) == 10'000 + 10'000 + 0 + 500);
  CHECK(length_of({}) == 0s);
  CHECK(starts_in({}) == 0);
}

TEST_CASE("an area that misses a whole number by rounding is that number", "[load]") {
  CHECK(starts_in({{333.3, 333.3, 10s}}) == 3333);
  CHECK(starts_in({{0.1, 0.1, 1s}, {0.2, 0.2, 1s}, {0.7, 0.7, 1s}}) == 1);
  CHECK(starts_in({{0.1, 0.1, 1s}}) == 0.1);
}

}  // namespace penstock::load

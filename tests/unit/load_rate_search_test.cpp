// The search against targets with a known limit.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>

#include "../../src/load/rate_search.h"
#include "penstock/load/rate_profile.h"

namespace penstock::load {
namespace {

TEST_CASE("the search finds a limit to a twentieth, from below and from above", "[load]") {
  const double limit = GENERATE(2.5, 40.0, 999.0, 1000.0, 1001.0, 12'345.0, 3e6);
  RateSearch search(1000);
  int attempts = 0;
  while (const auto rate = search.next()) {
    REQUIRE(++attempts < 60);
    search.tell(*rate <= limit);
  }
  CAPTURE(limit, attempts);
  REQUIRE(search.best());
  CHECK(*search.best() <= limit);
  CHECK(*search.best() >= limit / 1.051);
}

TEST_CASE("one hiccup does not end the search", "[load]") {
  RateSearch search(1000);
  int attempts = 0;
  while (const auto rate = search.next()) {
    const bool hiccup = ++attempts % 2 == 1;  // what fails by chance holds the next time
    search.tell(*rate <= 8000 && !hiccup);
    REQUIRE(attempts < 60);
  }
  REQUIRE(search.best());
  CHECK(*search.best() >= 7600);
}

TEST_CASE("a target that nothing is low enough for, and one without a limit", "[load]") {
  RateSearch none(1000);
  while (none.next()) none.tell(false);
  CHECK_FALSE(none.best());
  RateSearch all(1000);
  while (all.next()) all.tell(true);
  REQUIRE(all.best());
  CHECK(*all.best() >= highest_rate / 2);
}

}  // namespace
}  // namespace penstock::load

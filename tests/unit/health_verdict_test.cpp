// Verdict: how many probes in a row it takes, and what flapping does not do.
#include <catch2/catch_test_macros.hpp>

#include "penstock/health/verdict.h"

namespace penstock::health {
namespace {

TEST_CASE("a new backend is up and undecided", "[health]") {
  const Verdict verdict({.rise = 2, .fall = 3});
  CHECK(verdict.up());
  CHECK_FALSE(verdict.decided());
  CHECK(verdict.streak() == 0);
}

TEST_CASE("one success decides that a new backend is up, without a change", "[health]") {
  Verdict verdict({.rise = 2, .fall = 3});
  CHECK_FALSE(verdict.probed(true));
  CHECK(verdict.up());
  CHECK(verdict.decided());
}

TEST_CASE("a backend goes down at exactly `fall` failures in a row", "[health]") {
  Verdict verdict({.rise = 2, .fall = 3});
  CHECK_FALSE(verdict.probed(false));
  CHECK_FALSE(verdict.probed(false));
  CHECK(verdict.streak() == 2);
  CHECK(verdict.up());
  CHECK_FALSE(verdict.decided());
  CHECK(verdict.probed(false));
  CHECK_FALSE(verdict.up());
  CHECK(verdict.decided());
  CHECK(verdict.streak() == 0);
  CHECK_FALSE(verdict.probed(false));
}

TEST_CASE("a backend is up again at exactly `rise` successes in a row", "[health]") {
  Verdict verdict({.rise = 2, .fall = 1});
  REQUIRE(verdict.probed(false));
  CHECK_FALSE(verdict.probed(true));
  CHECK_FALSE(verdict.up());
  CHECK(verdict.probed(true));
  CHECK(verdict.up());
}

TEST_CASE("a success between failures starts the count anew", "[health]") {
  Verdict verdict({.rise = 2, .fall = 3});
  for (const bool succeeded : {false, false, true, false, false}) {
    CHECK_FALSE(verdict.probed(succeeded));
  }
  CHECK(verdict.up());
  CHECK(verdict.probed(false));
}

TEST_CASE("a backend that flaps at every probe keeps its state", "[health]") {
  Verdict up({.rise = 2, .fall = 2});
  Verdict down({.rise = 2, .fall = 2});
  static_cast<void>(down.probed(false));
  REQUIRE(down.probed(false));
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(up.probed(i % 2 == 0));
    CHECK_FALSE(down.probed(i % 2 == 0));
  }
  CHECK(up.up());
  CHECK_FALSE(down.up());
}

TEST_CASE("thresholds of one follow every probe", "[health]") {
  Verdict verdict({.rise = 1, .fall = 1});
  CHECK(verdict.probed(false));
  CHECK(verdict.probed(true));
  CHECK(verdict.probed(false));
  CHECK_FALSE(verdict.probed(false));
}

}  // namespace
}  // namespace penstock::health

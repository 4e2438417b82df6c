// What setrlimit() grants anybody.
#include <catch2/catch_test_macros.hpp>
#include <cstdint>

#include "penstock/base/descriptor_limit.h"

namespace penstock {
namespace {

TEST_CASE("the limit of open files can be raised to the hard limit by anyone", "[base]") {
  const std::uint64_t first = raise_descriptor_limit(0);
  CHECK(first > 0);
  CHECK(raise_descriptor_limit(0) == first);
}

}  // namespace
}  // namespace penstock

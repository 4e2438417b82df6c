// How many connections a limit of open files carries, and what is said when it is too low.
#include <catch2/catch_test_macros.hpp>

#include "penstock/app/capacity.h"

namespace penstock::app {
namespace {

constexpr DescriptorNeeds needs{.listening_sockets = 4, .shards = 2, .probes = 10};

TEST_CASE("a limit of exactly what some connections need carries these and no more", "[app]") {
  const std::uint64_t limit = descriptors_for(1000, needs);
  CHECK(capacity_for(limit, needs, std::nullopt).connections == 1000);
  CHECK(capacity_for(limit + 1, needs, std::nullopt).connections == 1000);
  CHECK(capacity_for(limit - 1, needs, std::nullopt).connections == 999);
}

TEST_CASE("a session takes two descriptors, everything else is counted beside them", "[app]") {
  CHECK(descriptors_for(1000, needs) - descriptors_for(999, needs) == 2);
  DescriptorNeeds more = needs;
  more.listening_sockets += 7;
  CHECK(descriptors_for(1, more) - descriptors_for(1, needs) == 7);
  more = needs;
  more.probes += 5;
  CHECK(descriptors_for(1, more) - descriptors_for(1, needs) == 5);
  more = needs;
  more.pipes += 3;
  CHECK(descriptors_for(1, more) - descriptors_for(1, needs) == 6);
}

TEST_CASE("pipes are as many as memory allows, and no more than an eighth of the descriptors",
          "[app]") {
  CHECK(pipes_for(1 << 20, 1 << 18, 1024) == 4);
  CHECK(pipes_for((1 << 20) - 1, 1 << 18, 1024) == 3);
  CHECK(pipes_for(1 << 30, 1 << 18, 1024) == 64);
}

TEST_CASE("what the limit cannot carry is clamped, what it can is left alone", "[app]") {
  const std::uint64_t limit = descriptors_for(500, needs);
  const Capacity less = capacity_for(limit, needs, 600);
  CHECK(less.connections == 500);
  CHECK(less.clamped);
  const Capacity enough = capacity_for(limit, needs, 500);
  CHECK(enough.connections == 500);
  CHECK_FALSE(enough.clamped);
}

TEST_CASE("a limit below the process's own needs carries no connection", "[app]") {
  CHECK(capacity_for(10, needs, std::nullopt).connections == 0);
  CHECK(capacity_for(descriptors_for(0, needs) + 1, needs, 5).connections == 0);
}

TEST_CASE("a practically unlimited process reserves room for a million connections", "[app]") {
  CHECK(capacity_for(std::uint64_t{1} << 30, needs, std::nullopt).connections == 1'000'000);
  CHECK(capacity_for(std::uint64_t{1} << 30, needs, 2'000'000).connections == 2'000'000);
}

}  // namespace
}  // namespace penstock::app

// The production shards under seeds: 200 of them in every run of the suite. PENSTOCK_SIM_SEEDS asks
// for another number; PENSTOCK_SIM_SEED replays one (scripts/sim does that). A violation of a duty
// or an oracle prints the seed and the turn and ends the program.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>

#include "world.h"

namespace penstock::sim {
namespace {

constexpr std::uint64_t usual_seeds = 200;

std::optional<std::uint64_t> from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 0);
}

void add(Tally& sum, const Tally& run) {
  for (const auto& [reason, count] : run.reasons) sum.reasons[reason] += count;
  sum.turns += run.turns;
  sum.bytes += run.bytes;
}

void print(const Tally& tally) {
  fmt::print("{} turns, {} bytes relayed; sessions by reason:", tally.turns, tally.bytes);
  for (const auto& [reason, count] : tally.reasons) {
    if (count > 0) fmt::print(" {} {}", reason, count);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace

TEST_CASE("the production shards keep their promises under every seed", "[sim][seeds]") {
  if (const auto seed = from_environment("PENSTOCK_SIM_SEED")) {
    print(World(*seed).run());
    SUCCEED();
    return;
  }
  const std::uint64_t seeds = from_environment("PENSTOCK_SIM_SEEDS").value_or(usual_seeds);
  Tally sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) add(sum, World(seed).run());
  print(sum);
  // A simulation that reaches none of these would prove nothing.
  CHECK(sum.reasons["finished"] > 0);
  CHECK(sum.reasons["client_reset"] > 0);
  CHECK(sum.reasons["backend_reset"] > 0);
  CHECK(sum.reasons["idle_timeout"] > 0);
  CHECK(sum.reasons["shutdown"] > 0);
  CHECK(sum.reasons["connect_refused"] > 0);
  CHECK(sum.bytes > 0);
}

TEST_CASE("a seed gives the same run every time", "[sim]") {
  const Tally first = World(77).run();
  const Tally second = World(77).run();
  CHECK(first.turns == second.turns);
  CHECK(first.bytes == second.bytes);
  CHECK(first.reasons == second.reasons);
}

}  // namespace penstock::sim

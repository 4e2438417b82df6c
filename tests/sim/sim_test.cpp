// Many seeds of the world, each a run of its own over production's shards. A violation of a duty
// or an oracle prints the seed and the turn; `scripts/sim SEED` replays it.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "sweep.h"
#include "world.h"

namespace penstock::sim {
namespace {

using stats::CloseReason;

constexpr std::uint64_t usual_seeds = 200;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

}  // namespace

TEST_CASE("the production shards keep their promises under every seed", "[sim][seeds]") {
  // scripts/test gives fresh ones to every run.
  const SweepOptions options{.first = from_environment("PENSTOCK_SIM_FIRST", 1),
                             .count = from_environment("PENSTOCK_SIM_SEEDS", usual_seeds),
                             .jobs = usual_jobs(),
                             .on_progress = {}};
  SweepOutcome outcome = sweep(options);
  fmt::print("{} seeds from {:#x} on, {:.0f} a second: {}\n", outcome.seeds, options.first,
             static_cast<double>(outcome.seeds) / outcome.seconds, outcome.tally.text());
  std::fflush(stdout);
  INFO("replay it with: scripts/sim " << fmt::format("{:#x}", outcome.failed.value_or(0)));
  REQUIRE(!outcome.failed);
  CHECK(outcome.seeds == options.count);
  if (options.count < usual_seeds) return;
  // A simulation that reaches none of these would prove nothing.
  for (const CloseReason reason :
       {CloseReason::finished, CloseReason::client_reset, CloseReason::backend_reset,
        CloseReason::client_truncated, CloseReason::client_gone, CloseReason::handshake_timeout,
        CloseReason::handshake_failed, CloseReason::tls_error, CloseReason::no_backend,
        CloseReason::connect_refused, CloseReason::connect_unreachable,
        CloseReason::connect_timeout, CloseReason::connect_failed, CloseReason::client_timeout,
        CloseReason::backend_timeout, CloseReason::idle_timeout, CloseReason::shutdown}) {
    INFO(stats::info(reason).name);
    CHECK(outcome.tally.of(reason) > 0);
  }
  CHECK(outcome.tally.bytes > 0);
}

TEST_CASE("seeds that once failed do not any more", "[sim][seeds]") {
  std::ifstream file(PENSTOCK_FAILED_SEEDS);
  REQUIRE(file.is_open());
  std::size_t seeds = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::uint64_t seed = std::strtoull(line.c_str(), nullptr, 0);
    INFO(line);
    CHECK(!sweep({.first = seed, .count = 1, .jobs = 1, .on_progress = {}}).failed);
    ++seeds;
  }
  CHECK(seeds > 0);
}

TEST_CASE("a seed gives the same run every time, whatever ran before it in the process", "[sim]") {
  for (const std::uint64_t seed : {1U, 19U, 77U, 0x2003U}) {
    const Tally first =
        sweep({.first = seed, .count = 1, .jobs = 1, .on_progress = {}}).tally;  // a fresh process
    CHECK(World(0x1ff5).run().turns > 0);  // with TLS, which makes its keys when first used
    const Tally second = World(seed).run();
    CHECK(first.turns == second.turns);
    CHECK(first.bytes == second.bytes);
    CHECK(first.reasons == second.reasons);
  }
}

}  // namespace penstock::sim

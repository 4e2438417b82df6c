// sim-run: the simulation by hand, for scripts/sim. Replays one seed with its trace, sweeps a range
// of seeds, or shows how soon each planted bug is caught (in a build that has them).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "penstock/base/planted.h"
#include "sweep.h"
#include "world.h"

namespace penstock::sim {
namespace {

void replay(std::uint64_t seed, bool traced) {
  // What led to a failed assertion is printed before it ends the process.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  const Tally tally = World(seed, traced).run();
  fmt::print("seed {:#x}: {}\n", seed, tally.text());
}

int run_range(SweepOptions options) {
  options.on_progress = [](std::uint64_t seeds) {
    fmt::print("{} seeds done\n", seeds);
    std::fflush(stdout);
  };
  const SweepOutcome outcome = sweep(options);
  fmt::print("{} seeds from {:#x} on in {:.1f} s, {:.1f} a second\n{}\n", outcome.seeds,
             options.first, outcome.seconds, static_cast<double>(outcome.seeds) / outcome.seconds,
             outcome.tally.text());
  if (!outcome.failed) return 0;
  fmt::print("FAILED: seed {:#x}; replay it with: scripts/sim {:#x}\n", *outcome.failed,
             *outcome.failed);
  return 1;
}

#ifdef PENSTOCK_PLANTED
/// Every bug within `options.count` seeds, or it is a failure.
int hunt(SweepOptions options, const std::string& only) {
  std::size_t caught = 0;
  std::size_t missed = 0;
  options.quiet = true;
  options.seed_limit = std::chrono::seconds(30);
  for (const PlantedInfo& info : planted_bugs()) {
    if (!only.empty() && only != info.name) continue;
    plant(info.bug);
    const SweepOutcome outcome = sweep(options);
    plant(std::nullopt);
    const std::string seeds = outcome.failed ? std::to_string(*outcome.failed - options.first + 1)
                                             : fmt::format("not in {}", options.count);
    fmt::print("{:<26} {:>12}   {}\n", info.name, seeds, info.wrong);
    std::fflush(stdout);
    ++(outcome.failed ? caught : missed);
  }
  fmt::print("{} passed, {} failed\n", caught, missed);
  return missed == 0 && caught > 0 ? 0 : 1;
}
#endif

int run(int argc, char** argv) {
  CLI::App app("Runs production's shards under a simulated kernel.", "sim-run");
  SweepOptions options{.jobs = usual_jobs(), .on_progress = {}};
  std::vector<std::string> seeds;
  double minutes = 0;
  bool quiet = false;
  app.add_option("seed", seeds, "replay this seed, or several in turn, and print its trace");
  app.add_flag("--no-trace", quiet, "replay without the trace");
  app.add_option("--seeds", options.count, "run so many seeds");
  app.add_option("--first", options.first, "the first of them (1)");
  app.add_option("--minutes", minutes, "begin no seed after that; without --seeds: no other end");
  app.add_option("--jobs", options.jobs, "processes (one a CPU)")->check(CLI::Range(1, 1024));
#ifdef PENSTOCK_PLANTED
  bool with_planted = false;
  std::string only;
  app.add_flag("--planted", with_planted, "plant each bug and count the seeds until it is caught");
  app.add_option("--bug", only, "only this one");
#endif
  CLI11_PARSE(app, argc, argv);
  for (const std::string& seed : seeds) replay(std::strtoull(seed.c_str(), nullptr, 0), !quiet);
  if (!seeds.empty()) return 0;
  if (minutes > 0) {
    if (app.count("--seeds") == 0) options.count = std::numeric_limits<std::uint64_t>::max() / 2;
    options.limit =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(minutes * 60));
  }
#ifdef PENSTOCK_PLANTED
  if (with_planted) return hunt(options, only);
#endif
  return run_range(options);
}

}  // namespace
}  // namespace penstock::sim

int main(int argc, char** argv) { return penstock::sim::run(argc, argv); }

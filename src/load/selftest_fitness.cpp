// Check 7: what is measured by a generator that has more to do than it can is not to be believed,
// and says so; what one with little to do measures is.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "judge.h"
#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

/// Many times what one worker can do.
constexpr double too_much = 3'000'000;
constexpr Duration overloaded_for = 1s;
constexpr double little = 200;
/// Beside it the lag of a machine that is busy with other things is small.
constexpr Duration delay = 100ms;

/// The verdict on a run with a condition that holds.
Result<void> judge_run(Bench& bench, const char* name, RunOptions& run, ServeOptions serve,
                       int expected, Findings& to) {
  auto met = meet(bench, std::move(serve), run);
  if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
  const auto conditions = parse_conditions("ops>0");
  if (!conditions) return std::unexpected(conditions.error());
  judge(met->client, *conditions);
  const RunFacts& facts = met->client.facts;
  to.figures.push_back(
      told(fmt::format("{}: lag p99", name), duration_text(facts.health.lag_p99, 4)));
  for (const double share : facts.health.worker_cpu_shares) {
    to.figures.push_back(
        told(fmt::format("{}: CPU of the worker", name), fmt::format("{:.1f} %", 100 * share)));
  }
  const std::size_t reasons = facts.health.unfit_reasons.size();
  if (expected == exit_unfit) {
    to.figures.push_back(between(fmt::format("{}: reasons why it is unfit", name),
                                 {.least = 1, .most = 2}, static_cast<double>(reasons), ""));
  } else {
    to.figures.push_back(equal(fmt::format("{}: reasons why it is unfit", name), std::uint64_t{0},
                               std::uint64_t{reasons}));
  }
  to.figures.push_back(same(fmt::format("{}: exit code", name), fmt::format("{}", expected),
                            fmt::format("{}", facts.exit_code)));
  return {};
}

}  // namespace

Result<void> check_fitness(Bench& bench, Findings& to) {
  RunOptions busy = open_loop(bench, too_much);
  busy.duration = overloaded_for;
  busy.profile.front().length = overloaded_for;
  busy.most_waiting = 10'000;
  if (auto done = judge_run(bench, "overloaded", busy, {}, exit_unfit, to); !done) {
    return done;
  }
  if (bench.interrupted()) return {};
  RunOptions idle = open_loop(bench, little);
  ServeOptions late;
  late.service.kind = ServiceKind::delay;
  late.service.delay.usual = delay;
  return judge_run(bench, "at ease", idle, std::move(late), exit_done, to);
}

}  // namespace penstock::load

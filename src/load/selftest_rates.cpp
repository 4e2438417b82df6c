// Check 3: whether operations begin when they are meant to, and whether they are meant to begin as
// they should.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr double mean_rate = 2000;
constexpr std::uint32_t rates_connections = 32;
constexpr Duration most_lag = 100us;
constexpr double most_busy = 0.5;
constexpr double most_deviation = 0.001;

TimelineOptions timeline_of(const RunOptions& run) {
  return {.profile = run.profile, .arrival = run.arrival, .seed = run.seed};
}

std::vector<Duration> starts_of(const RunOptions& run) {
  std::vector<Duration> starts;
  for (Timeline line(timeline_of(run)); line.next(); line.advance()) starts.push_back(*line.next());
  return starts;
}

void compare_gaps(const RunOptions& run, Findings& to) {
  const std::vector<Duration> starts = starts_of(run);
  std::vector<double> gaps;
  Duration before{};
  for (const Duration start : starts) {
    gaps.push_back(seconds(start - before));
    before = start;
  }
  if (gaps.empty()) return;
  const double most = largest_likely_distance(gaps.size());
  const double distance = distance_from_exponential(std::move(gaps), 1 / mean_rate);
  to.figures.push_back(
      between("poisson: Kolmogorov-Smirnov, 1 %", {.least = 0, .most = most}, distance, ""));
}

}  // namespace

Result<void> check_rates(Bench& bench, Findings& to) {
  for (const Arrival arrival : {Arrival::uniform, Arrival::poisson}) {
    const char* const name = arrival == Arrival::uniform ? "uniform" : "poisson";
    RunOptions run = open_loop(bench, mean_rate);
    run.connections = rates_connections;
    run.arrival = arrival;
    const auto starts = starts_of(run);
    const auto met = meet(bench, {}, run);
    if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
    const RunFacts& facts = met->client.facts;
    to.figures.push_back(equal(fmt::format("{}: operations of the timeline", name),
                               std::uint64_t{starts.size()}, met->client.total.count.operations));
    const double asked = arrival == Arrival::uniform
                             ? mean_rate
                             : static_cast<double>(starts.size()) / seconds(run.duration);
    to.figures.push_back(nearly(fmt::format("{}: operations a second", name), asked,
                                facts.achieved_per_second, most_deviation));
    to.figures.push_back(below(fmt::format("{}: lag p99", name), most_lag, facts.health.lag_p99));
    for (const double share : facts.health.worker_cpu_shares) {
      to.figures.push_back(between(fmt::format("{}: CPU of the worker", name),
                                   {.least = 0, .most = 100 * most_busy}, 100 * share, " %"));
    }
    if (arrival == Arrival::poisson) compare_gaps(run, to);
  }
  return {};
}

}  // namespace penstock::load

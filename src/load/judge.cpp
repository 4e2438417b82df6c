// The order of what can be wrong is the order of the exit codes: 1 before 3 before 4.
#include "judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/load/command_line.h"
#include "penstock/load/rate_profile.h"
#include "penstock/load/units.h"
#include "run_options.h"

namespace penstock::load {
namespace {

constexpr double most_busy = 0.9;
constexpr double largest_lag_share = 0.1;
constexpr Duration tolerable_lag = 200us;
constexpr double tail = 99;

/// Answers that were cut off or had wrong bytes in them, and bytes that were nobody's answer.
std::uint64_t wrong_answers(const Recorder& total) noexcept {
  return total.count.corrupt_streams + total.errors(ErrorClass::bad_response) +
         total.errors(ErrorClass::reset_within) + total.errors(ErrorClass::ended_within) +
         total.errors(ErrorClass::timeout_within);
}

/// Why the generator itself may have shaped what it measured.
std::vector<std::string> unfitness(const RunResult& run) {
  std::vector<std::string> reasons;
  if (run.facts.settings.loop == Loop::closed) return reasons;
  const Duration lag = run.facts.health.lag_p99;
  const Duration latency = run.total.histogram(Measure::latency).percentile(tail);
  if (lag > tolerable_lag && seconds(lag) > largest_lag_share * seconds(latency)) {
    reasons.push_back(fmt::format(
        "operations began late: p99 of the lag is {}, of the latency {}; use more threads or "
        "connections, or a lower rate",
        duration_text(lag), duration_text(latency)));
  }
  // A worker of bulk streams is meant to be busy; the run's notes say so.
  const bool bulk = run.facts.settings.mode == name_of(Mode::bulk);
  std::size_t number = 0;
  for (const double share : run.facts.health.worker_cpu_shares) {
    if (share >= most_busy && (!bulk || number >= run.facts.settings.threads)) {
      reasons.push_back(fmt::format("worker {} was busy {:.0f} % of the time: use more threads",
                                    number, 100 * share));
    }
    ++number;
  }
  return reasons;
}

}  // namespace

void judge(RunResult& run, const std::vector<Condition>& conditions) {
  RunFacts& facts = run.facts;
  const Recorder& total = run.total;
  const std::uint64_t errors = total.errors() + total.count.unsent;
  const bool open = facts.settings.loop == Loop::open;
  const Measured measured{.latency = &total.histogram(Measure::latency),
                          .lag = open ? &total.histogram(Measure::lag) : nullptr,
                          .operations = total.count.operations + total.count.streams + errors,
                          .errors = errors,
                          .lost = wrong_answers(total),
                          .asked_per_second = facts.asked_per_second,
                          .achieved_per_second = facts.achieved_per_second};
  for (const Condition& condition : conditions) {
    facts.assertions.push_back(evaluate(condition, measured));
  }
  facts.health.unfit_reasons = unfitness(run);
  if (wrong_answers(total) > 0 || total.count.operations + total.count.streams == 0) {
    facts.exit_code = exit_wrong;
  } else if (!std::ranges::all_of(facts.assertions, &Finding::holds)) {
    facts.exit_code = exit_assertion;
  } else if (!facts.health.unfit_reasons.empty() && !conditions.empty()) {
    facts.exit_code = exit_unfit;
  }
}

}  // namespace penstock::load

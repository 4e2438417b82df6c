// The order of what can be wrong is the order of the exit codes: 1 before 3 before 4.
#include "verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/load/command_line.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr double most_busy = 0.9;
constexpr double largest_lag_share = 0.1;
constexpr Duration tolerable_lag = 200us;
constexpr double tail = 99;

/// Answers that were cut off or had wrong bytes in them.
std::uint64_t wrong_answers(const Recorder& total) noexcept {
  return total.errors(ErrorClass::corrupt) + total.errors(ErrorClass::bad_response) +
         total.errors(ErrorClass::reset_within) + total.errors(ErrorClass::ended_within) +
         total.count.lost_bytes;
}

/// Why the generator itself may have shaped what it measured.
std::vector<std::string> unfitness(const RunOptions& options, const Outcome& outcome) {
  std::vector<std::string> reasons;
  if (options.closed_loop) return reasons;
  const Duration lag = outcome.total.histogram(Measure::lag).percentile(tail);
  const Duration latency = outcome.total.histogram(Measure::latency).percentile(tail);
  if (lag > tolerable_lag && seconds(lag) > largest_lag_share * seconds(latency)) {
    reasons.push_back(fmt::format(
        "operations began late: p99 of the lag is {}, of the latency {}; use more threads or "
        "connections, or a lower rate",
        duration_text(lag), duration_text(latency)));
  }
  for (std::size_t i = 0; i < outcome.cpu_times.size(); ++i) {
    const double share = seconds(outcome.cpu_times[i]) / std::max(seconds(outcome.took), 1e-9);
    if (share < most_busy) continue;
    reasons.push_back(
        fmt::format("worker {} was busy {:.0f} % of the time: use more threads", i, 100 * share));
  }
  return reasons;
}

}  // namespace

Verdict judge(const RunOptions& options, const Outcome& outcome) {
  Verdict verdict;
  const Recorder& total = outcome.total;
  const double span = std::max(seconds(outcome.measured), 1e-9);
  Measured measured{.latency = &total.histogram(Measure::latency),
                    .operations = total.count.operations + total.errors() + total.count.unsent,
                    .errors = total.errors() + total.count.unsent,
                    .lost = wrong_answers(total),
                    .achieved_per_second = static_cast<double>(total.count.operations) / span};
  if (!options.closed_loop) {
    measured.lag = &total.histogram(Measure::lag);
    measured.asked_per_second = starts_in(options.profile) / seconds(options.duration);
  }
  for (const Condition& condition : options.conditions) {
    verdict.findings.push_back(evaluate(condition, measured));
  }
  verdict.unfit_reasons = unfitness(options, outcome);
  verdict.warnings = verdict.unfit_reasons;
  const bool unfit = !verdict.warnings.empty();
  if (options.closed_loop) {
    verdict.warnings.emplace_back(
        "closed loop: while the target stalls nothing is asked of it, so its stalls hardly show in "
        "these latencies");
  }
  if (outcome.interrupted) {
    verdict.warnings.emplace_back("interrupted: these results are partial");
  }
  const bool all_hold = std::ranges::all_of(verdict.findings, &Finding::holds);
  if (wrong_answers(total) > 0 || total.count.operations == 0) {
    verdict.exit_code = exit_wrong;
  } else if (!all_hold) {
    verdict.exit_code = exit_assertion;
  } else if (unfit && !options.conditions.empty()) {
    verdict.exit_code = exit_unfit;
  }
  return verdict;
}

}  // namespace penstock::load

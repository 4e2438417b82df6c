// Attempts, and what the last ones say of the limit.
#include "search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "judge.h"
#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "rate_search.h"

namespace penstock::load {
namespace {

/// A queue that grows meets a bound on errors for a while.
constexpr double least_achieved = 0.98;

Step step_of(const RunResult& run, double rate) {
  const Histogram& latency = run.total.histogram(Measure::latency);
  return {.asked_per_second = rate,
          .achieved_per_second = run.facts.achieved_per_second,
          .operations = run.total.count.operations,
          .errors = run.total.errors() + run.total.count.unsent,
          .latency_p50 = latency.percentile(50),
          .latency_p99 = latency.percentile(99),
          .latency_max = latency.max(),
          .findings = run.facts.assertions};
}

class Search {
 public:
  Search(RunOptions& options, Interruptions& interruptions,
         const std::function<void(const LiveState&)>& on_progress,
         const std::function<void(const Step&)>& on_attempt)
      : options_(options),
        interruptions_(interruptions),
        on_progress_(on_progress),
        on_attempt_(on_attempt),
        search_(options.profile.front().from_per_second) {}

  Result<RunResult> go() {
    while (const auto rate = search_.next()) {
      auto run = attempt(*rate);
      if (!run) return run;
      // A signal may come when the attempt is over but for its connections.
      interrupted_ = interruptions_.count() > 0;
      const bool holds = steps_.back().holds() && !run->facts.interrupted;
      const bool final = run->facts.exit_code == exit_wrong || interrupted_;
      (holds ? best_ : failed_) = std::move(*run);
      search_.tell(holds);
      if (final) break;
    }
    return conclude();
  }

 private:
  Result<RunResult> attempt(double rate) {
    options_.profile = {{rate, rate, options_.duration}};
    auto run = run_load(options_, interruptions_, on_progress_);
    if (!run) return run;
    judge(*run, options_.conditions);
    const RunFacts& facts = run->facts;
    Step step = step_of(*run, rate);
    const double share = facts.achieved_per_second / rate;
    step.findings.push_back(
        {.text = fmt::format("rate >= {:.0f}%: {:.1f}%", 100 * least_achieved, 100 * share),
         .holds = share >= least_achieved});
    step.findings.push_back(
        {.text = "the generator is fit", .holds = facts.health.unfit_reasons.empty()});
    on_attempt_(step);
    steps_.push_back(std::move(step));
    return run;
  }

  Result<RunResult> conclude() {
    const bool found = best_.has_value();
    // What ended the search early is what there is to tell of.
    const bool broken = failed_ && failed_->facts.exit_code == exit_wrong;
    RunResult& result = found && !broken ? *best_ : *failed_;
    RunFacts& facts = result.facts;
    facts.notes.push_back({"search", summary(found)});
    if (found && !broken && !interrupted_ && limited_by_generator()) {
      facts.health.unfit_reasons.emplace_back(
          "the search ended where the generator was unfit: the target may bear more");
      facts.exit_code = std::max<int>(facts.exit_code, exit_unfit);
    }
    if (!found && !interrupted_ && facts.exit_code == exit_done) facts.exit_code = exit_assertion;
    facts.interrupted = interrupted_;
    facts.steps = std::exchange(steps_, {});
    return std::move(result);
  }

  /// Of the lowest rate that failed, nothing but the generator was wrong.
  [[nodiscard]] bool limited_by_generator() const {
    const Step* lowest = lowest_failed();
    return lowest != nullptr && !lowest->findings.back().holds &&
           std::all_of(lowest->findings.begin(), lowest->findings.end() - 1,
                       [](const Finding& finding) { return finding.holds; });
  }

  [[nodiscard]] const Step* lowest_failed() const {
    const Step* lowest = nullptr;
    for (const Step& step : steps_) {
      if (step.holds() || (search_.best() && step.asked_per_second <= *search_.best())) continue;
      if (lowest == nullptr || step.asked_per_second <= lowest->asked_per_second) lowest = &step;
    }
    return lowest;
  }

  [[nodiscard]] std::string summary(bool found) const {
    std::string text = found          ? fmt::format("the highest rate that holds is {}/s",
                                                    number_text(search_.best().value_or(0)))
                       : interrupted_ ? "no rate that holds was found until the interruption"
                                      : "no rate holds";
    const Step* lowest = lowest_failed();
    if (lowest == nullptr) return text;
    std::vector<std::string> failures;
    for (const Finding& finding : lowest->findings) {
      if (!finding.holds) failures.push_back(finding.text);
    }
    return text + fmt::format("; at {}/s it fails: {}", number_text(lowest->asked_per_second),
                              fmt::join(failures, ", "));
  }

  RunOptions& options_;
  Interruptions& interruptions_;
  const std::function<void(const LiveState&)>& on_progress_;
  const std::function<void(const Step&)>& on_attempt_;
  RateSearch search_;
  std::vector<Step> steps_;
  std::optional<RunResult> best_;
  std::optional<RunResult> failed_;  // the last one that did
  bool interrupted_ = false;
};

}  // namespace

Result<RunResult> search_rate(RunOptions& options, Interruptions& interruptions,
                              const std::function<void(const LiveState&)>& on_progress,
                              const std::function<void(const Step&)>& on_attempt) {
  return Search(options, interruptions, on_progress, on_attempt).go();
}

}  // namespace penstock::load

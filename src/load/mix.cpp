// Loads with one start begin together; those that start later open their connections when it is
// time, so that what the target sees of them comes then.
#include "mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "judge.h"
#include "penstock/base/start_thread.h"
#include "penstock/io/linux_kernel.h"
#include "start_line.h"
#include "workload.h"

namespace penstock::load {
namespace {

/// While it waits for what other threads do.
constexpr Duration look_again = 20ms;

class Mix {
 public:
  Mix(const Scenario& scenario, Interruptions& interruptions,
      const std::function<void(const ScenarioLoad&, const LiveState&)>& on_progress)
      : scenario_(scenario), interruptions_(interruptions), on_progress_(on_progress) {
    std::map<Duration, std::uint32_t> loads;
    for (const ScenarioLoad& load : scenario) ++loads[load.start];
    for (const auto& [start, count] : loads) lines_.try_emplace(start, count);
  }

  Result<std::vector<LoadOutcome>> go() {
    std::vector<const RunOptions*> all;
    for (const ScenarioLoad& load : scenario_) all.push_back(&load.options);
    if (auto room = Workload::make_room(all); !room) return std::unexpected(room.error());
    outcomes_.resize(scenario_.size());
    if (auto ran = run_all(); !ran) return std::unexpected(ran.error());
    if (first_line().begin()) return std::move(outcomes_);
    for (const LoadOutcome& outcome : outcomes_) {
      if (outcome.error) return std::unexpected(*outcome.error);
    }
    return std::move(outcomes_);
  }

 private:
  /// Error: there is no thread for one of them.
  Result<void> run_all() {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < scenario_.size(); ++i) {
      auto thread = start_thread(scenario_[i].name, [this, i] { run(scenario_[i], outcomes_[i]); });
      if (!thread) {
        interruptions_.end();
        return std::unexpected(thread.error());
      }
      threads.push_back(std::move(*thread));
    }
    return {};
  }

  /// On the load's thread.
  void run(const ScenarioLoad& load, LoadOutcome& outcome) {
    if (!wait_for(load.start)) return;
    StartLine& line = lines_.at(load.start);
    const auto on_progress = [&](LiveState state) {
      if (!state.opening && !line.begin()) return;  // interrupted before
      if (!state.opening) state.elapsed += since_first(line);
      on_progress_(load, state);
    };
    auto run = run_load(load.options, interruptions_, on_progress, &line);
    if (!run) {
      outcome.error = {.message = fmt::format("load {}: {}", load.name, run.error().message)};
      interruptions_.end();
      return;
    }
    run->facts.start = since_first(line);
    judge(*run, load.options.conditions);
    outcome.run = std::move(*run);
  }

  /// False: an interruption came before.
  bool wait_for(Duration start) {
    io::LinuxKernel kernel;
    while (interruptions_.count() == 0) {
      if (start == Duration::zero()) return true;
      const auto first = first_line().begin();
      const Duration left = first ? *first + start - kernel.now() : look_again;
      if (left <= Duration::zero()) return true;
      interruptions_.wait(std::min(left, look_again));
    }
    return false;
  }

  /// Of one that was interrupted before: nothing.
  [[nodiscard]] Duration since_first(const StartLine& line) const {
    return line.begin() ? *line.begin() - *first_line().begin() : Duration::zero();
  }

  [[nodiscard]] const StartLine& first_line() const { return lines_.begin()->second; }

  const Scenario& scenario_;
  Interruptions& interruptions_;
  const std::function<void(const ScenarioLoad&, const LiveState&)>& on_progress_;
  std::map<Duration, StartLine> lines_;  // by the start of their loads
  std::vector<LoadOutcome> outcomes_;
};

}  // namespace

Result<std::vector<LoadOutcome>> run_mix(
    const Scenario& scenario, Interruptions& interruptions,
    const std::function<void(const ScenarioLoad&, const LiveState&)>& on_progress) {
  return Mix(scenario, interruptions, on_progress).go();
}

}  // namespace penstock::load

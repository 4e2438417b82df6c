// Check 2: a server that is stopped in the middle of a run. In the open loop every operation that
// was meant to begin meanwhile has waited, and says so; the closed loop does not see it, and has to
// say that.
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "judge.h"
#include "penstock/base/start_thread.h"
#include "penstock/load/units.h"
#include "report_parts.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

/// What waits at the end of the pause is served one by one, which is no part of the closed form: at
/// this rate it takes less than 1 % of the pause (measured, also with ThreadSanitizer in both).
constexpr double stalls_rate = 300;
constexpr double percentiles[] = {90, 95, 99, 99.9};
constexpr Tolerance tolerance = {.share = 0.02};

/// Stops a child a while after it is made, lets it go on, and says for how long it was stopped.
class Pause {
 public:
  struct When {
    Duration after;
    Duration length;
  };
  Pause(const Child& child, const When& when) : child_(child), when_(when) {}

  [[nodiscard]] Result<void> begin() {
    auto started = start_thread("pause", [this](const std::stop_token& stop) { run(stop); });
    if (!started) return std::unexpected(started.error());
    thread_ = std::move(*started);
    return {};
  }
  /// How long; zero: it was not stopped.
  [[nodiscard]] Duration end() {
    thread_.request_stop();
    thread_.join();
    return length_;
  }

 private:
  void run(const std::stop_token& stop) {
    wait(stop, when_.after);
    if (stop.stop_requested() || !child_.stop()) return;
    const Instant begin = kernel_.now();
    wait(stop, when_.length);
    child_.go_on();
    length_ = kernel_.now() - begin;
  }
  void wait(const std::stop_token& stop, Duration time) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, time, [] { return false; });
  }

  const Child& child_;
  When when_;
  io::LinuxKernel kernel_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  Duration length_{};  // the thread's until it has ended
  std::jthread thread_;
};

struct Stalled {
  RunResult run;
  Duration length{};
};

Result<Stalled> run_with_pause(Bench& bench, const Child& child, RunOptions& options) {
  Pause pause(child, {.after = bench.duration() * 3 / 10, .length = bench.duration() / 4});
  if (auto begun = pause.begin(); !begun) return std::unexpected(begun.error());
  auto run = bench.run(options);
  const Duration length = pause.end();
  if (!run) return std::unexpected(run.error());
  if (length == Duration::zero() && !bench.interrupted()) {
    return fail("the server could not be stopped");
  }
  return Stalled{.run = std::move(*run), .length = length};
}

Result<Child> start_server(Bench& bench, Endpoint& at) {
  auto child =
      Child::start({"/proc/self/exe", "serve", "--listen", any_loopback_port().to_string()});
  if (!child) return child;
  constexpr std::string_view begin = "serving on ";
  const auto line = child->read_line(bench, bench.now() + 10s);
  if (!line) return std::unexpected(line.error());
  auto address = line->starts_with(begin) ? Endpoint::parse(line->substr(begin.size()))
                                          : fail(fmt::format("the server said: {}", *line));
  if (!address) return std::unexpected(address.error());
  at = *address;
  return child;
}

void compare_stalls(const Stalled& stalled, Duration run, Findings& to) {
  const Histogram& latency = stalled.run.total.histogram(Measure::latency);
  to.figures.push_back(told("open loop: stopped for", duration_text(stalled.length, 4)));
  to.figures.push_back(told("open loop: operations", fmt::format("{}", latency.count())));
  for (const double percent : percentiles) {
    const Duration expected = stalled_latency({.length = stalled.length, .run = run}, percent);
    to.figures.push_back(nearly(fmt::format("open loop: {}", percentile_name(percent)), expected,
                                latency.percentile(percent), tolerance));
  }
}

/// The label in the header of every output, and the sentence among its warnings.
void find_label(RunResult& run, Findings& to) {
  judge(run, {});
  const std::string label = loop_text(run.facts.settings);
  to.figures.push_back(same("closed loop: label", "CLOSED loop", label));
  const auto warns = [](const std::string& warning) {
    return warning.contains("coordinated omission");
  };
  const auto warnings = warnings_of(run.facts);
  to.figures.push_back(equal("closed loop: warnings of omission", std::uint64_t{1},
                             static_cast<std::uint64_t>(std::ranges::count_if(warnings, warns))));
  const Histogram& latency = run.total.histogram(Measure::latency);
  to.figures.push_back(
      told("closed loop: p99, of the same stall", duration_text(latency.percentile(99), 4)));
}

}  // namespace

Result<void> check_stalls(Bench& bench, Findings& to) {
  Endpoint at;
  const auto child = start_server(bench, at);
  if (!child) return std::unexpected(child.error());
  RunOptions open = open_loop(bench, stalls_rate);
  open.targets = {at};
  open.connections = 16;
  auto seen = run_with_pause(bench, *child, open);
  if (!seen) return std::unexpected(seen.error());
  if (bench.interrupted()) return {};
  compare_stalls(*seen, bench.duration(), to);
  RunOptions closed;
  closed.targets = {at};
  closed.closed_loop = true;
  closed.connections = 4;
  closed.duration = bench.duration();
  seen = run_with_pause(bench, *child, closed);
  if (!seen) return std::unexpected(seen.error());
  if (!bench.interrupted()) find_label(seen->run, to);
  return {};
}

}  // namespace penstock::load

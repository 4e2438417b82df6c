// The phases of a run: prepare, begin, measure, drain.
#include "coordinator.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "penstock/base/cpus.h"
#include "process_watch.h"
#include "run_notes.h"
#include "station.h"
#include "step_log.h"
#include "workload.h"

namespace penstock::load {
namespace {

/// Between the last connection that is prepared and the first operation.
constexpr Duration run_up = 20ms;
constexpr Duration look_again = 5ms;
/// What a worker may take to close its connections, beyond the timeout of an operation.
constexpr Duration closing_time = 2s;
/// Beyond it the end of an interval would be late.
constexpr Duration handover_patience = 100ms;
constexpr Duration interrupted_patience = 1s;

class Run {
 public:
  Run(const RunOptions& options, Interruptions& interruptions,
      const std::function<void(const LiveState&)>& on_progress, StartLine& line)
      : options_(options),
        interruptions_(interruptions),
        on_progress_(on_progress),
        line_(line),
        steps_(options.profile, options.warmup) {
    result_.facts.settings = settings_of(options);
    if (!options.operations) result_.facts.planned = options.duration;
  }

  Result<RunResult> go() {
    if (auto watched = watch({}); !watched) return std::unexpected(watched.error());
    if (auto made = make_workers(); !made) return std::unexpected(made.error());
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    measure();
    drain();
    if (auto ended = stations_.outcome(); !ended) return std::unexpected(ended.error());
    sum_up();
    return std::move(result_);
  }

 private:
  Result<void> make_workers() {
    const auto& features = kernel_features();
    if (!features) return std::unexpected(features.error());
    features_ = *features;
    auto workload = Workload::create(options_);
    if (!workload) return std::unexpected(workload.error());
    workload_ = std::move(*workload);
    const RunOptions* const alone = &options_;
    if (auto room = Workload::make_room({&alone, 1}); !room) return room;
    return stations_.start("load", workload_->workers(),
                           [this](std::uint32_t number) { return make_station(number); });
  }

  /// On the worker's thread.
  Result<std::unique_ptr<Station>> make_station(std::uint32_t number) {
    ::prctl(PR_SET_TIMERSLACK, 1);  // ns: operations begin when they are meant to
    if (!options_.cpus.empty()) {
      const int cpu = options_.cpus[number % options_.cpus.size()];
      if (!pin_this_thread(cpu)) {
        return fail(
            fmt::format("cannot run on CPU {}: --cpus names the CPUs that it may have", cpu));
      }
    }
    auto station = std::make_unique<Station>();
    if (options_.secure) {
      auto context = tls::Context::create_client(options_.tls);
      if (!context) return std::unexpected(context.error());
      station->context = std::move(*context);
      // What would stand in the way of every connection is told now.
      for (const std::string& name : options_.server_names) {
        auto tried = tls::Engine::create_client(*station->context, {.server_name = name});
        if (!tried) return std::unexpected(tried.error());
      }
    }
    auto worker = Worker::create(
        station->kernel, {.features = features_, .connections = workload_->connections_of(number)},
        [&](Context& context) -> Result<Worker::Engines> {
          return workload_->make_engines(context, station->context.get(), number);
        });
    if (!worker) return std::unexpected(worker.error());
    station->worker = std::move(*worker);
    return station;
  }

  Instant now() noexcept { return kernel_.now(); }

  /// Waits until then or a signal, a second at most.
  void wait_until(Instant when) { interruptions_.wait(when - now()); }
  [[nodiscard]] bool interrupted() noexcept { return interruptions_.count() > 0; }

  /// Until every worker has its connections, or knows that it cannot have them.
  Result<void> prepare() {
    Duration patience = options_.connect_timeout + closing_time;
    if (options_.dials_per_second > 0) {
      patience += Duration(
          static_cast<std::int64_t>(1e9 * options_.connections / options_.dials_per_second));
    }
    const Instant start = now();
    Instant told = start;
    while (now() < start + patience && !interrupted() &&
           !stations_.all([](const Worker& each) { return each.prepared(); })) {
      wait_until(now() + look_again);
      if (now() < told + options_.interval) continue;
      told = now();
      result_.total.merge(take_measured());
      on_progress_({.opening = Opening{.opened = result_.total.count.connections,
                                       .wanted = options_.connections + options_.active},
                    .loop = result_.facts.settings.loop,
                    .elapsed = now() - start,
                    .errors = result_.total.count.connections_failed});
    }
    if (auto reached = check_reached(); !reached) return reached;
    if (auto watched = watch({}); !watched) return watched;
    began_ = told_ = meet_others();
    stations_.each([this](Worker& each) { each.begin(began_); });
    return {};
  }

  /// When it begins; after an interruption: would have begun.
  Instant meet_others() {
    line_.arrive(now() + run_up);
    while (!line_.begin() && !interrupted()) wait_until(now() + look_again);
    return line_.begin().value_or(now() + run_up);
  }

  /// Error: one of the processes is gone.
  Result<void> watch(Duration offset) {
    for (const int process_id : options_.watched) {
      auto sample = sample_process(process_id, offset);
      if (!sample) return std::unexpected(sample.error());
      result_.facts.watched.push_back(*sample);
    }
    return {};
  }

  /// Error: not one of the connections that are to stay could be had.
  Result<void> check_reached() {
    result_.total.merge(take_measured());
    const Recorder& so_far = result_.total;
    const Counters& count = so_far.count;
    const std::uint64_t usable = options_.secure && options_.mode != Mode::chaos
                                     ? count.handshakes_full + count.handshakes_resumed
                                     : count.connections;
    if (usable > 0 || count.connections_failed == 0) return {};
    std::string why;
    for (const auto& [error, reason] : so_far.reasons()) {
      why += fmt::format(": {}: {}", all_errors()[static_cast<std::size_t>(error)].text, reason);
    }
    return fail(fmt::format("cannot reach {}{}", options_.target_text, why));
  }

  void measure() {
    const Instant end = began_ + options_.duration;
    const auto counted_out = [this] {
      return options_.operations &&
             stations_.all([](const Worker& each) { return each.exhausted(); });
    };
    while (now() < end && !interrupted() && !stations_.ended() && !counted_out()) {
      const Instant next = next_cut(end);
      wait_until(std::min(next, now() + 100ms));
      if (now() >= next) tell(next);
    }
    ended_ = std::clamp(now(), began_, end);
    // What comes from here on is counted, but not as a rate.
    remainder_.merge(take_measured());
    if (ended_ - began_ > options_.warmup) window_.add(remainder_.count);
    stations_.each([](Worker& each) { each.stop(); });
    result_.facts.interrupted = interrupted();
  }

  /// When what was measured is taken next: an interval, the warm-up or a step ends.
  [[nodiscard]] Instant next_cut(Instant end) const {
    const Duration from = told_ - began_;
    Duration cut = steps_.cut(from, from + options_.interval);
    if (from < options_.warmup) cut = std::min(cut, options_.warmup);
    return std::min(began_ + cut, end);
  }

  /// Lets what is under way end.
  void drain() {
    const int before = std::min(interruptions_.count(), 1);  // both may have come already
    const Duration patience = before > 0 ? interrupted_patience : options_.timeout + closing_time;
    const Instant limit = now() + patience;
    while (!stations_.ended() && now() < limit && interruptions_.count() == before) {
      wait_until(now() + look_again);
    }
    stations_.each([](Worker& each) { each.abandon(); });
    while (!stations_.ended()) wait_until(now() + look_again);
    tell(std::max(now(), told_ + Duration(1)));
  }

  /// Asks every worker for what it has measured and waits a moment for it. What a worker that does
  /// not get the CPU hands over later belongs to the next interval.
  Recorder take_measured() {
    Recorder seen;
    std::set<const Worker*> heard;
    const auto hear = [&](Worker& each) {
      for (const auto& measured : each.take_measured()) {
        seen.merge(*measured);
        heard.insert(&each);
      }
    };
    if (!stations_.ended()) {
      stations_.each([](Worker& each) { each.cut(std::make_unique<Recorder>()); });
      const Instant limit = now() + handover_patience;
      do {
        wait_until(now() + look_again);
        stations_.each(hear);
      } while (heard.size() < workload_->workers() && now() < limit && !stations_.ended());
    }
    stations_.each(hear);
    return seen;
  }

  /// Closes the interval that began when the last one was told.
  void tell(Instant end) {
    Recorder measured = take_measured();
    measured.merge(std::exchange(remainder_, {}));
    std::uint64_t waiting = 0;
    stations_.each([&waiting](const Worker& each) { waiting += each.waiting(); });
    const Duration offset = told_ - began_;
    const Interval interval =
        summarize(measured, {.offset = offset, .length = end - told_, .waiting = waiting});
    if (offset >= options_.warmup && ended_ == Instant()) window_.add(measured.count);
    (void)watch(end - began_);  // one that has ended since has been looked at before
    told_ = end;
    result_.total.merge(measured);
    steps_.add(measured, offset);
    result_.facts.intervals.push_back(interval);
    on_progress_({.loop = result_.facts.settings.loop,
                  .warming_up = offset < options_.warmup,
                  .elapsed = end - began_,
                  .whole = options_.operations ? std::nullopt : std::optional(options_.duration),
                  .asked_per_second = asked_per_second(offset, end - began_),
                  .operations = result_.total.count.operations,
                  .errors = result_.total.errors(),
                  .last = interval,
                  .total = &result_.total});
  }

  /// Zero in a closed loop.
  double asked_per_second(Duration from, Duration to) const noexcept {
    if (options_.closed_loop || to <= from) return 0;
    const double starts = starts_until(options_.profile, to) - starts_until(options_.profile, from);
    return starts / seconds(to - from);
  }

  void sum_up() {
    RunFacts& facts = result_.facts;
    const Duration whole = ended_ - began_;
    facts.duration = std::max(whole - options_.warmup, Duration::zero());
    facts.warmup = std::min(options_.warmup, whole);
    facts.steps = steps_.steps(whole);
    facts.asked_per_second = asked_per_second(options_.warmup, whole);
    if (facts.duration > Duration::zero()) {
      facts.achieved_per_second =
          static_cast<double>(result_.total.count.operations) / seconds(facts.duration);
    }
    facts.streams = result_.total.streams();
    for (const auto& [name, count] : result_.total.tallies()) {
      facts.tallies.push_back({name, count});
    }
    const double took = seconds(told_ - began_);
    stations_.each([&](const Worker& each) {
      facts.in_flight_at_deadline += each.left_at_stop();
      facts.health.cpu_time += each.cpu_time();
      if (whole > Duration::zero()) {
        facts.health.worker_cpu_shares.push_back(seconds(each.cpu_time()) / took);
      }
    });
    for (const auto& [error, why] : result_.total.reasons()) {
      const auto& info = all_errors()[static_cast<std::size_t>(error)];
      facts.notes.push_back({"first", fmt::format("{}: {}", info.text, why)});
    }
    std::ranges::move(notes_of(facts, window_, result_.total.count),
                      std::back_inserter(facts.notes));
    if (!options_.closed_loop) {
      facts.health.lag_p99 = result_.total.histogram(Measure::lag).percentile(99);
    }
  }

  const RunOptions& options_;
  Interruptions& interruptions_;
  const std::function<void(const LiveState&)>& on_progress_;
  StartLine& line_;
  io::LinuxKernel kernel_;
  io::FeatureSet features_;
  std::unique_ptr<Workload> workload_;  // before the stations, whose engines use it
  Stations stations_;
  Instant began_{};
  Instant told_{};
  Instant ended_{};
  Recorder remainder_;  // measured until the end, but not told of yet
  Counters window_;     // of what was measured between the warm-up and the end
  StepLog steps_;
  RunResult result_;
};

}  // namespace

Result<RunResult> run_load(const RunOptions& options, Interruptions& interruptions,
                           const std::function<void(const LiveState&)>& on_progress,
                           StartLine* line) {
  StartLine alone;
  return Run(options, interruptions, on_progress, line == nullptr ? alone : *line).go();
}

}  // namespace penstock::load

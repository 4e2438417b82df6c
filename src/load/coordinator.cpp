// The phases of a run: prepare, begin, measure, drain.
#include "coordinator.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>

#include "codec_http.h"
#include "codec_rr.h"
#include "exchange.h"
#include "penstock/base/cpus.h"
#include "penstock/base/descriptor_limit.h"
#include "station.h"

namespace penstock::load {
namespace {

/// Between the last connection that is prepared and the first operation.
constexpr Duration run_up = 20ms;
constexpr Duration look_again = 5ms;
/// What a worker may take to close its connections, beyond the timeout of an operation.
constexpr Duration closing_time = 2s;
constexpr Duration interrupted_patience = 1s;

/// The n-th of so many nearly equal parts of a whole.
template <class T>
T part_of(T whole, T parts, T number) noexcept {
  return whole / parts + (number < whole % parts ? 1 : 0);
}

std::unique_ptr<Codec> make_codec(const RunOptions& options) {
  switch (options.mode) {
    case Mode::tls:
      return nullptr;
    case Mode::http:
      return std::make_unique<CodecHttp>(options.http_request);
    case Mode::rr:
    case Mode::conn:
      break;
  }
  if (!options.http_request.empty()) return std::make_unique<CodecHttp>(options.http_request);
  return std::make_unique<CodecRr>(CodecRrOptions{.request_size = options.request_size,
                                                  .answer_size = options.answer_size,
                                                  .verify = options.verify});
}

class Run {
 public:
  Run(const RunOptions& options, Signals& signals,
      const std::function<void(const LiveState&)>& on_progress)
      : options_(options), signals_(signals), on_progress_(on_progress) {
    result_.facts.settings = settings_of(options);
    result_.facts.warmup = options.warmup;
  }

  Result<RunResult> go() {
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
    auto features = io::probe_features({});
    if (!features) return std::unexpected(features.error());
    features_ = *features;
    const std::uint64_t needed =
        (std::uint64_t{options_.connections} * 3) + (std::uint64_t{options_.threads} * 64) + 64;
    if (const std::uint64_t limit = raise_descriptor_limit(needed); limit < needed) {
      return fail(
          fmt::format("{} connections need {} descriptors, the limit is {}; raise it "
                      "(ulimit -n) or use fewer connections",
                      options_.connections, needed, limit));
    }
    codec_ = make_codec(options_);
    return stations_.start("load", options_.threads,
                           [this](std::uint32_t number) { return make_station(number); });
  }

  [[nodiscard]] Result<std::unique_ptr<tls::Engine>> make_tls(tls::Context& context) const {
    return tls::Engine::create_client(context, {.server_name = options_.server_name});
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
      if (auto tried = make_tls(*station->context); !tried) return std::unexpected(tried.error());
    }
    const std::uint32_t share = part_of(options_.connections, options_.threads, number);
    // Beside those in use there are some that wait for the peer's end.
    auto worker = Worker::create(
        station->kernel, {.features = features_, .connections = share * 3 + 64},
        [&](Context& context) { return make_engines(context, *station, number, share); });
    if (!worker) return std::unexpected(worker.error());
    station->worker = std::move(*worker);
    return station;
  }

  Result<Worker::Engines> make_engines(Context& context, const Station& station,
                                       std::uint32_t number, std::uint32_t share) {
    ExchangeOptions options{.target = options_.target};
    for (std::size_t i = number; i < options_.sources.size(); i += options_.threads) {
      options.sources.push_back(options_.sources[i]);
    }
    options.codec = codec_.get();
    options.connections = share;
    options.depth = options_.depth;
    options.one_each = options_.mode == Mode::conn || options_.mode == Mode::tls;
    options.ending = options_.ending;
    options.closed_loop = options_.closed_loop;
    if (options_.operations) {
      options.operations = part_of<std::uint64_t>(*options_.operations, options_.threads, number);
    }
    options.most_waiting = options_.most_waiting / options_.threads;
    options.seed = options_.seed + number;
    options.connect_timeout = options_.connect_timeout;
    options.timeout = options_.timeout;
    options.warmup = options_.warmup;
    std::optional<Timeline> timeline;
    if (!options_.closed_loop) {
      timeline.emplace(TimelineOptions{.profile = options_.profile,
                                       .arrival = options_.arrival,
                                       .seed = options_.seed,
                                       .worker = number,
                                       .workers = options_.threads});
    }
    Exchange::MakeEngine make_engine;
    if (station.context) {
      make_engine = [this, tls = station.context.get()] {
        auto engine = make_tls(*tls);
        return engine ? std::move(*engine) : nullptr;  // no memory, for now
      };
    }
    Worker::Engines engines;
    engines.push_back(std::make_unique<Exchange>(context, std::move(options),
                                                 std::move(make_engine), std::move(timeline)));
    return engines;
  }

  Instant now() noexcept { return kernel_.now(); }

  /// Waits until then or a signal. Counts the signals.
  void wait_until(Instant when) {
    const Duration left = std::max(when - now(), Duration::zero());
    pollfd waited{.fd = signals_.fd(), .events = POLLIN, .revents = 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    ::poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(ms, 1000)));
    while (const auto number = signals_.next()) {
      if (*number == SIGINT || *number == SIGTERM) ++interruptions_;
    }
  }

  /// Until every worker has its connections, or knows that it cannot have them.
  Result<void> prepare() {
    const Instant limit = now() + options_.connect_timeout + closing_time;
    while (now() < limit && interruptions_ == 0 &&
           !stations_.all([](const Worker& each) { return each.prepared(); })) {
      wait_until(now() + look_again);
    }
    if (auto reached = check_reached(); !reached) return reached;
    began_ = told_ = now() + run_up;
    stations_.each([this](Worker& each) { each.begin(began_); });
    return {};
  }

  /// Error: not one of the connections that are to stay could be had.
  Result<void> check_reached() {
    const Recorder so_far = take_measured();
    result_.total.merge(so_far);
    const Counters& count = so_far.count;
    const std::uint64_t usable =
        options_.secure ? count.handshakes_full + count.handshakes_resumed : count.connections;
    if (usable > 0 || count.connections_failed == 0) return {};
    std::string why;
    for (const auto& [error, reason] : so_far.reasons()) {
      why += fmt::format(": {}: {}", all_errors()[static_cast<std::size_t>(error)].text, reason);
    }
    return fail(fmt::format("cannot reach {}{}", options_.target_text, why));
  }

  void measure() {
    const Instant end = began_ + options_.duration;
    while (now() < end && interruptions_ == 0 && !stations_.ended() &&
           !stations_.all([](const Worker& each) { return each.exhausted(); })) {
      const Instant next = std::min(told_ + options_.interval, end);
      wait_until(std::min(next, now() + 100ms));
      if (now() >= told_ + options_.interval) tell(told_ + options_.interval);
    }
    ended_ = std::clamp(now(), began_, end);
    stations_.each([](Worker& each) { each.stop(); });
    result_.facts.interrupted = interruptions_ > 0;
  }

  /// Lets what is under way end.
  void drain() {
    const Duration patience =
        interruptions_ > 0 ? interrupted_patience : options_.timeout + closing_time;
    const Instant limit = now() + patience;
    const int before = interruptions_;
    while (!stations_.ended() && now() < limit && interruptions_ == before) {
      wait_until(now() + look_again);
    }
    stations_.each([](Worker& each) { each.abandon(); });
    while (!stations_.ended()) wait_until(now() + look_again);
    tell(std::max(now(), told_ + Duration(1)));
  }

  /// Asks every worker for what it has measured and waits a moment for it.
  Recorder take_measured() {
    if (!stations_.ended()) {
      stations_.each([](Worker& each) { each.cut(std::make_unique<Recorder>()); });
      wait_until(now() + look_again);
    }
    Recorder seen;
    stations_.each([&seen](Worker& each) {
      for (const auto& measured : each.take_measured()) seen.merge(*measured);
    });
    return seen;
  }

  /// Closes the interval that began when the last one was told.
  void tell(Instant end) {
    const Recorder measured = take_measured();
    std::uint64_t waiting = 0;
    stations_.each([&waiting](const Worker& each) { waiting += each.waiting(); });
    const Duration offset = told_ - began_;
    const Interval interval =
        summarize(measured, {.offset = offset, .length = end - told_, .waiting = waiting});
    told_ = end;
    result_.total.merge(measured);
    result_.facts.intervals.push_back(interval);
    on_progress_({.loop = result_.facts.settings.loop,
                  .warming_up = offset < options_.warmup,
                  .elapsed = end - began_,
                  .whole = options_.operations ? std::nullopt : std::optional(options_.duration),
                  .asked_per_second = asked_per_second(offset, end - began_),
                  .operations = result_.total.count.operations,
                  .errors = result_.total.errors(),
                  .last = interval});
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
    facts.duration = std::max(whole - options_.warmup, Duration(1));
    facts.asked_per_second = asked_per_second(options_.warmup, whole);
    facts.achieved_per_second =
        static_cast<double>(result_.total.count.operations) / seconds(facts.duration);
    const double took = seconds(told_ - began_);
    stations_.each([&](const Worker& each) {
      facts.in_flight_at_deadline += each.left_at_stop();
      facts.health.cpu_time += each.cpu_time();
      facts.health.worker_cpu_shares.push_back(seconds(each.cpu_time()) / took);
    });
    for (const auto& [error, why] : result_.total.reasons()) {
      const auto& info = all_errors()[static_cast<std::size_t>(error)];
      facts.notes.push_back({"first", fmt::format("{}: {}", info.text, why)});
    }
    if (!options_.closed_loop) {
      facts.health.lag_p99 = result_.total.histogram(Measure::lag).percentile(99);
    }
  }

  const RunOptions& options_;
  Signals& signals_;
  const std::function<void(const LiveState&)>& on_progress_;
  io::LinuxKernel kernel_;
  io::FeatureSet features_;
  std::unique_ptr<Codec> codec_;  // before the stations, whose engines use it
  Stations stations_;
  Instant began_{};
  Instant told_{};
  Instant ended_{};
  int interruptions_ = 0;
  RunResult result_;
};

}  // namespace

Result<RunResult> run_load(const RunOptions& options, Signals& signals,
                           const std::function<void(const LiveState&)>& on_progress) {
  return Run(options, signals, on_progress).go();
}

}  // namespace penstock::load

// The phases of a run: prepare, begin, measure, drain.
#include "coordinator.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "codec_http.h"
#include "codec_rr.h"
#include "exchange.h"
#include "penstock/base/cpus.h"
#include "penstock/base/descriptor_limit.h"
#include "penstock/base/own_thread.h"
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
      const std::function<void(const Progress&)>& on_progress)
      : options_(options), signals_(signals), on_progress_(on_progress) {}

  Result<Outcome> go() {
    if (auto made = make_workers(); !made) return std::unexpected(made.error());
    if (auto prepared = prepare(); !prepared) {
      end_all();
      return std::unexpected(prepared.error());
    }
    measure();
    drain();
    for (const auto& thread : threads_) {
      if (!thread->outcome()) return std::unexpected(thread->outcome().error());
      outcome_.cpu_times.push_back(thread->object().worker->cpu_time());
    }
    return std::move(outcome_);
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
    for (std::uint32_t i = 0; i < options_.threads; ++i) {
      threads_.push_back(std::make_unique<OwnThread<Station>>(
          OwnThread<Station>::Parts{.name = fmt::format("load-{}", i),
                                    .make = [this, i] { return make_station(i); },
                                    .run = [](Station& station) { return station.run(); },
                                    .on_end = [] {}}));
    }
    for (const auto& thread : threads_) {
      if (auto made = thread->made(); !made) {
        abandon_all();
        return made;
      }
      made_.push_back(thread.get());
    }
    for (const auto& thread : threads_) thread->go();
    return {};
  }

  /// On the worker's thread.
  Result<std::unique_ptr<Station>> make_station(std::uint32_t number) {
    ::prctl(PR_SET_TIMERSLACK, 1);  // ns: operations begin when they are meant to
    if (!options_.cpus.empty()) {
      (void)pin_this_thread(options_.cpus[number % options_.cpus.size()]);
    }
    auto station = std::make_unique<Station>();
    if (options_.secure) {
      auto context = tls::Context::create_client(options_.tls);
      if (!context) return std::unexpected(context.error());
      station->context = std::move(*context);
    }
    const std::uint32_t share = part_of(options_.connections, options_.threads, number);
    // Beside those in use there are some that wait for the peer's end.
    auto worker = Worker::create(
        station->kernel, {.features = features_, .connections = share * 3 + 64},
        [&](const Workshop& workshop) { return equip(workshop, *station, number, share); });
    if (!worker) return std::unexpected(worker.error());
    station->worker = std::move(*worker);
    return station;
  }

  Result<std::vector<Equipment>> equip(const Workshop& workshop, Station& station,
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
      make_engine = [context = station.context.get(), name = options_.server_name] {
        auto engine = tls::Engine::create_client(*context, {.server_name = name});
        return engine ? std::move(*engine) : nullptr;
      };
    }
    auto exchange =
        std::make_unique<Exchange>(workshop.context, std::move(options), workshop.make_connection,
                                   std::move(make_engine), std::move(timeline));
    Exchange* raw = exchange.get();
    std::vector<Equipment> equipment;
    equipment.push_back({.engine = std::move(exchange),
                         .measure_to = [raw](Recorder& recorder) { raw->measure_to(recorder); }});
    return equipment;
  }

  Worker& worker(std::size_t i) { return *made_[i]->object().worker; }
  template <class F>
  bool all_workers(F&& test) {
    for (std::size_t i = 0; i < made_.size(); ++i) {
      if (!test(worker(i))) return false;
    }
    return true;
  }
  template <class F>
  void each_worker(F&& what) {
    for (std::size_t i = 0; i < made_.size(); ++i) what(worker(i));
  }
  bool all_ended() {
    return std::ranges::all_of(made_, [](const auto* thread) { return thread->ended(); });
  }
  void abandon_all() {
    each_worker([](Worker& each) { each.abandon(); });
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
           !all_workers([](Worker& each) { return each.prepared(); })) {
      wait_until(now() + look_again);
    }
    if (auto reached = check_reached(); !reached) return reached;
    began_ = now() + run_up;
    each_worker([this](Worker& each) { each.begin(began_); });
    return {};
  }

  /// Error: not one of the connections that are to stay could be had.
  Result<void> check_reached() {
    Recorder so_far = take_measured();
    const bool none = so_far.count.connections == 0 && so_far.errors() > 0;
    outcome_.total.merge(so_far);
    if (!none) return {};
    std::string why;
    for (const ErrorInfo& info : all_errors()) {
      if (so_far.errors(info.error) > 0) why = info.text;
    }
    for (const auto& [number, count] : so_far.errnos()) why += ": " + errno_text(number);
    return fail(fmt::format("cannot reach {}: {}", options_.target_text, why));
  }

  void end_all() {
    abandon_all();
    while (!all_ended()) wait_until(now() + look_again);
  }

  void measure() {
    const Instant end = began_ + options_.duration;
    Instant told = began_;
    while (now() < end && interruptions_ == 0 && !all_ended() &&
           !all_workers([](Worker& each) { return each.exhausted(); })) {
      const Instant next = std::min(told + options_.interval, end);
      wait_until(std::min(next, now() + 100ms));
      if (now() < told + options_.interval) continue;
      tell(told, told + options_.interval, take_measured());
      told += options_.interval;
    }
    ended_ = std::min(now(), end);
    each_worker([](Worker& each) { each.stop(); });
    outcome_.interrupted = interruptions_ > 0;
    outcome_.measured = std::max(ended_ - began_ - options_.warmup, Duration(1));
    told_ = told;
  }

  /// Lets what is under way end.
  void drain() {
    const Duration patience =
        interruptions_ > 0 ? interrupted_patience : options_.timeout + closing_time;
    const Instant limit = now() + patience;
    const int before = interruptions_;
    while (!all_ended() && now() < limit && interruptions_ == before) {
      wait_until(now() + look_again);
    }
    end_all();
    outcome_.took = now() - began_;
    tell(told_, now(), take_measured());
  }

  /// Asks every worker for what it has measured and waits a moment for it.
  Recorder take_measured() {
    if (!all_ended()) {
      each_worker([](Worker& each) { each.cut(); });
      wait_until(now() + look_again);
    }
    Recorder seen;
    each_worker([&seen](Worker& each) {
      for (const auto& measured : each.take_measured()) seen.merge(*measured);
    });
    return seen;
  }

  void tell(Instant from, Instant to, const Recorder& interval) {
    outcome_.total.merge(interval);
    on_progress_({.offset = from - began_, .length = to - from, .interval = &interval});
  }

  const RunOptions& options_;
  Signals& signals_;
  const std::function<void(const Progress&)>& on_progress_;
  io::LinuxKernel kernel_;
  io::FeatureSet features_;
  std::unique_ptr<Codec> codec_;  // before the threads, whose engines use it
  std::vector<std::unique_ptr<OwnThread<Station>>> threads_;
  std::vector<OwnThread<Station>*> made_;
  Instant began_{};
  Instant ended_{};
  Instant told_{};
  int interruptions_ = 0;
  Outcome outcome_;
};

}  // namespace

Result<Outcome> run_load(const RunOptions& options, Signals& signals,
                         const std::function<void(const Progress&)>& on_progress) {
  return Run(options, signals, on_progress).go();
}

std::string_view name_of(Mode mode) noexcept {
  switch (mode) {
    case Mode::rr:
      return "rr";
    case Mode::conn:
      return "conn";
    case Mode::tls:
      return "tls";
    case Mode::http:
      return "http";
  }
  return "";
}

}  // namespace penstock::load

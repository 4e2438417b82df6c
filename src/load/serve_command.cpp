// One listening socket and one worker a thread; the kernel spreads connections over them.
#include "serve_command.h"

#include <fmt/format.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <vector>

#include "penstock/base/descriptor_limit.h"
#include "penstock/base/own_thread.h"
#include "penstock/base/signals.h"
#include "penstock/load/command_line.h"
#include "penstock/net/socket.h"
#include "service.h"
#include "station.h"

namespace penstock::load {
namespace {

constexpr const char* examples =
    "Examples:\n"
    "  penstock-load serve                              an echo server on 127.0.0.1:7000\n"
    "  penstock-load serve --listen 127.0.0.1:7001 -t 2\n"
    "It echoes what comes. To `penstock-load run` with another --answer-size it answers in that\n"
    "size and checks the requests. Ctrl-C ends it and prints what it has seen, one JSON line.";

class Serving {
 public:
  explicit Serving(io::FeatureSet features) : features_(features) {}

  Result<void> open(const Endpoint& at, std::uint32_t threads, std::uint32_t connections) {
    Endpoint where = at;
    services_.resize(threads);
    for (std::uint32_t i = 0; i < threads; ++i) {
      auto listener = open_listener(where, {.reuse_port = threads > 1, .first = i == 0});
      if (!listener) return std::unexpected(listener.error());
      configure_connection(listener->get(), where.family(), {});         // for those accepted on it
      if (auto bound = local_endpoint(listener->get())) where = *bound;  // port 0 once
      listeners_.push_back(std::move(*listener));
    }
    at_ = where;
    for (std::uint32_t i = 0; i < threads; ++i) {
      threads_.push_back(std::make_unique<OwnThread<Station>>(OwnThread<Station>::Parts{
          .name = fmt::format("serve-{}", i),
          .make = [this, i, connections] { return make_station(i, connections); },
          .run = [](Station& station) { return station.run(); },
          .on_end = [] {}}));
    }
    for (const auto& thread : threads_) {
      if (auto made = thread->made(); !made) return made;
      made_.push_back(thread.get());
    }
    for (OwnThread<Station>* thread : made_) thread->go();
    return {};
  }

  /// The first signal lets connections end, the second does not.
  void wait(Signals& signals) {
    for (int seen = 0; !ended();) {
      pollfd waited{.fd = signals.fd(), .events = POLLIN, .revents = 0};
      ::poll(&waited, 1, seen == 0 ? -1 : 20);
      while (const auto number = signals.next()) {
        if (*number != SIGINT && *number != SIGTERM) continue;
        ++seen;
        for (OwnThread<Station>* thread : made_) {
          Worker& worker = *thread->object().worker;
          seen == 1 ? worker.stop() : worker.abandon();
        }
      }
    }
  }

  ~Serving() {
    for (OwnThread<Station>* thread : made_) thread->object().worker->abandon();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  [[nodiscard]] const Endpoint& at() const noexcept { return at_; }
  [[nodiscard]] Served served() const noexcept {
    Served sum;
    for (const Service* each : services_) sum.add(each->read());
    return sum;
  }

 private:
  bool ended() const {
    return std::ranges::all_of(made_, [](const auto* thread) { return thread->ended(); });
  }

  Result<std::unique_ptr<Station>> make_station(std::uint32_t number, std::uint32_t connections) {
    auto station = std::make_unique<Station>();
    auto worker = Worker::create(
        station->kernel, {.features = features_, .connections = connections},
        [&](const Workshop& workshop) -> Result<std::vector<Equipment>> {
          const int listener = listeners_[number].get();
          auto service =
              std::make_unique<Service>(workshop.context, ServiceOptions{}, std::span(&listener, 1),
                                        workshop.make_connection, nullptr);
          services_[number] = service.get();
          std::vector<Equipment> equipment;
          equipment.push_back({.engine = std::move(service), .measure_to = [](Recorder&) {}});
          return equipment;
        });
    if (!worker) return std::unexpected(worker.error());
    station->worker = std::move(*worker);
    return station;
  }

  io::FeatureSet features_;
  Endpoint at_;
  std::vector<UniqueFd> listeners_;
  std::vector<const Service*> services_;  // the threads'
  std::vector<std::unique_ptr<OwnThread<Station>>> threads_;
  std::vector<OwnThread<Station>*> made_;
};

int failed(const Error& error) {
  fmt::print(stderr, "penstock-load: {}\n", error.message);
  return exit_wrong;
}

}  // namespace

void ServeCommand::add_to(CLI::App& command) {
  command.footer(examples);
  command.add_option("--listen", listen_, "HOST:PORT or unix:PATH (127.0.0.1:7000)")
      ->option_text("ADDRESS");
  command.add_option("-t,--threads", threads_, "worker threads (1)")
      ->check(CLI::Range(1, 256))
      ->option_text("N");
  command.add_option("-c,--connections", connections_, "at once on each thread (4096)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("N");
}

int ServeCommand::run() const {
  auto at = Endpoint::parse(listen_);
  if (!at) {
    fmt::print(stderr, "penstock-load: --listen {}: {}\n", listen_, at.error().message);
    return exit_usage;
  }
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  auto features = io::probe_features({});
  if (!features) return failed(features.error());
  (void)raise_descriptor_limit(std::uint64_t{connections_} * threads_ + 64);
  Serving serving(*features);
  if (auto opened = serving.open(*at, threads_, connections_); !opened)
    return failed(opened.error());
  fmt::print(stderr, "serving on {}\n", serving.at().to_string());
  serving.wait(*signals);
  const Served seen = serving.served();
  fmt::print(
      "{{\"accepted\": {}, \"closed\": {}, \"lost\": {}, \"bytes_in\": {}, \"bytes_out\": {}, "
      "\"requests\": {}, \"wrong\": {}, \"accept_errors\": {}}}\n",
      seen.accepted, seen.closed, seen.lost, seen.bytes_in, seen.bytes_out, seen.requests,
      seen.wrong_streams, seen.accept_errors);
  return seen.wrong_streams == 0 ? exit_done : exit_wrong;
}

}  // namespace penstock::load

// A service on a thread of its own and a client's worker on the test's thread, both over the real
// kernel on loopback.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../src/load/codec_http.h"
#include "../../src/load/codec_rr.h"
#include "../../src/load/exchange.h"
#include "../../src/load/service.h"
#include "../../src/load/worker.h"
#include "penstock/base/own_thread.h"
#include "penstock/io/features.h"
#include "penstock/io/linux_kernel.h"
#include "penstock/net/socket.h"

namespace penstock::load::test {

inline io::FeatureSet features() {
  static const io::FeatureSet found = io::probe_features({}).value();
  return found;
}

/// A worker with a service, until the end of the test.
class Serving {
 public:
  explicit Serving(const ServiceOptions& options, tls::Context* tls = nullptr,
                   std::uint32_t connections = 64)
      : listener_(open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value()),
        at_(local_endpoint(listener_.get()).value()),
        thread_(
            {.name = "service",
             .make = [this, options, tls, connections] { return make(options, tls, connections); },
             .run = [](Worker& worker) -> Result<void> {
               for (;;) {
                 auto more = worker.turn();
                 if (!more) return std::unexpected(more.error());
                 if (!*more) return {};
               }
             },
             .on_end = [] {}}) {
    configure_connection(listener_.get(), at_.family(), {});
    REQUIRE(thread_.made());
    thread_.go();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() { thread_.object().abandon(); }

  [[nodiscard]] const Endpoint& at() const { return at_; }
  [[nodiscard]] Service& service() { return *service_; }
  /// Lets the connections finish, and does not wait for that.
  void stop() { thread_.object().stop(); }
  /// The same, until they have; what was counted then is all.
  Served finish() {
    stop();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!thread_.ended()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::yield();
    }
    REQUIRE(thread_.outcome());
    return service_->read();
  }

 private:
  [[nodiscard]] Result<std::unique_ptr<Worker>> make(const ServiceOptions& options,
                                                     tls::Context* tls, std::uint32_t connections) {
    return Worker::create(kernel_, {.features = features(), .connections = connections},
                          [&](Context& context) -> Result<Worker::Engines> {
                            const std::vector<int> listeners = {listener_.get()};
                            auto service =
                                std::make_unique<Service>(context, options, listeners, tls);
                            service_ = service.get();
                            Worker::Engines all;
                            all.push_back(std::move(service));
                            return all;
                          });
  }

  io::LinuxKernel kernel_;
  UniqueFd listener_;
  Endpoint at_;
  Service* service_ = nullptr;
  OwnThread<Worker> thread_;
};

/// A client's engine on the test's thread, which turns it by hand.
class Driving {
 public:
  using Make = std::function<std::unique_ptr<Engine>(Context& context)>;
  enum class Begin : std::uint8_t { now, later };
  Driving(std::uint32_t connections, const Make& make, Begin begins = Begin::now) {
    auto made = Worker::create(kernel_, {.features = features(), .connections = connections},
                               [&](Context& context) -> Result<Worker::Engines> {
                                 Worker::Engines all;
                                 all.push_back(make(context));
                                 engine_ = all.back().get();
                                 auto alarm = std::make_unique<Alarm>(context);
                                 alarm_ = alarm.get();
                                 all.push_back(std::move(alarm));
                                 return all;
                               });
    REQUIRE(made);
    worker_ = std::move(*made);
    until([&] { return worker_->prepared(); });
    if (begins == Begin::now) begin();
  }
  Driving(const Driving&) = delete;
  Driving& operator=(const Driving&) = delete;

  void begin() { begin(kernel_.now()); }
  void begin(Instant at) { worker_->begin(at); }

  [[nodiscard]] Engine& engine() { return *engine_; }
  /// Turns until it is so, for at most as long as a test may take.
  void until(const std::function<bool()>& so) {
    const Instant deadline = kernel_.now() + 20s;
    while (!so()) {
      REQUIRE(kernel_.now() < deadline);
      REQUIRE(worker_->turn().value());
    }
  }
  void turn_for(Duration time) {
    const Instant end = kernel_.now() + time;
    alarm_->set(end);
    until([&] { return kernel_.now() >= end; });
  }
  /// Stops it, waits for what is under way, and says what was measured.
  [[nodiscard]] const Recorder& finish() {
    worker_->stop();
    while (worker_->turn().value()) {
    }
    return take_measured();
  }
  /// The same, but breaks off what is under way.
  [[nodiscard]] const Recorder& abandon() {
    worker_->abandon();
    return finish();
  }
  /// What was measured up to now.
  [[nodiscard]] const Recorder& so_far() {
    worker_->cut(std::make_unique<Recorder>());
    return take_measured();
  }

 private:
  /// Ends a turn in which nothing else happens.
  class Alarm final : public Engine {
   public:
    explicit Alarm(Context& context) : context_(context) {}
    void set(Instant at) { at_ = at; }
    void prepare() override {}
    [[nodiscard]] bool prepared() const noexcept override { return true; }
    void begin(Instant /*at*/) override {}
    [[nodiscard]] Instant next_tick() const noexcept override { return at_; }
    void tick() override {
      if (at_ <= context_.now) at_ = never;
    }
    void stop() override {}
    void abandon() override {}
    [[nodiscard]] bool done() const noexcept override { return true; }

   private:
    Context& context_;
    Instant at_ = never;
  };
  const Recorder& take_measured() {
    for (const auto& part : worker_->take_measured()) measured_->merge(*part);
    return *measured_;
  }

  io::LinuxKernel kernel_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Recorder> measured_ = std::make_unique<Recorder>();
  Engine* engine_ = nullptr;
  Alarm* alarm_ = nullptr;
};

/// Connections to there. `tls`: a client's, or null.
inline Dialer make_dialer(Context& context, const Endpoint& at, tls::Context* tls = nullptr,
                          const TlsDialerOptions& options = {.server_names = {""}}) {
  std::unique_ptr<TlsDialer> tls_dialer;
  if (tls != nullptr) tls_dialer = std::make_unique<TlsDialer>(*tls, options);
  return {context, {.targets = {at}}, std::move(tls_dialer)};
}

/// Runs an exchange until it has done its operations, and says what it measured.
inline std::unique_ptr<Recorder> exchange(const Endpoint& at, ExchangeOptions options,
                                          tls::Context* tls = nullptr,
                                          const TlsDialerOptions& tls_options = {
                                              .server_names = {""}}) {
  options.closed_loop = true;
  Driving driving(4 * options.connections, [&](Context& context) {
    return std::make_unique<Exchange>(context, options, make_dialer(context, at, tls, tls_options),
                                      std::nullopt);
  });
  driving.until([&] { return driving.engine().exhausted(); });
  auto all = std::make_unique<Recorder>();
  all->merge(driving.finish());
  return all;
}

/// A socket that blocks, for who wants to speak for himself.
class Plain {
 public:
  explicit Plain(const Endpoint& to, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) {
      REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                           sizeof(receive_buffer)) == 0);
    }
    constexpr timeval patience{.tv_sec = 20, .tv_usec = 0};
    REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    REQUIRE(::connect(fd_.get(), to.address(), to.length()) == 0);
  }
  /// True when all of it is sent. Asserts nothing, so it may be called beside the thread that does:
  /// Catch's assertions are for one thread.
  [[nodiscard]] bool send_all(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void send(std::span<const std::byte> bytes) const { REQUIRE(send_all(bytes)); }
  void send(std::string_view text) const { send(std::as_bytes(std::span(text))); }
  void end() const { REQUIRE(::shutdown(fd_.get(), SHUT_WR) == 0); }
  /// As recv().
  [[nodiscard]] ssize_t receive(std::span<std::byte> to) const {
    return ::recv(fd_.get(), to.data(), to.size(), 0);
  }
  /// Everything until the peer's end.
  [[nodiscard]] std::string rest() const {
    std::string all;
    std::vector<std::byte> part(65536);
    for (;;) {
      const ssize_t size = receive(part);
      REQUIRE(size >= 0);
      if (size == 0) return all;
      all.append(reinterpret_cast<const char*>(part.data()), static_cast<std::size_t>(size));
    }
  }
  /// So many bytes.
  [[nodiscard]] std::vector<std::byte> receive_all(std::size_t bytes) const {
    std::vector<std::byte> all(bytes);
    for (std::size_t at = 0; at < bytes;) {
      const ssize_t size = receive(std::span(all).subspan(at));
      REQUIRE(size > 0);
      at += static_cast<std::size_t>(size);
    }
    return all;
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace penstock::load::test

// The health checks against real sockets on loopback and the real kernel: what they find, what they
// say about it, and what they leave behind. Deadlines, no sleeps; short intervals.
#include <dirent.h>
#include <sys/resource.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "health_fake_backend.h"
#include "penstock/health/checker.h"
#include "penstock/io/linux_kernel.h"

namespace penstock::health {
namespace {

using config::HealthType;
using End = Manner::End;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

FakeBackend::Script always(const Manner& manner) {
  return [manner](int) { return manner; };
}

std::size_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count - 3;  // ".", ".." and the folder itself
}

// A pool "app" and a checker that watches it. Turns on the test's thread.
class Watch {
 public:
  Watch(config::Health health, const std::vector<Endpoint>& backends) {
    config::Pool pool;
    pool.name = "app";
    pool.health = std::move(health);
    for (const Endpoint& address : backends) {
      const auto number = static_cast<std::uint32_t>(pool.backends.size());
      config::Backend backend;
      backend.id = BackendId{number};
      backend.name = "b" + std::to_string(number);
      backend.address = address;
      pool.backends.push_back(std::move(backend));
    }
    config_.pools.push_back(std::move(pool));
    const auto features = io::probe_features({});
    REQUIRE(features.has_value());
    auto checker = Checker::create(
        kernel_, config_,
        {.features = *features, .seed = 1, .on_change = [this](const balance::Liveness& now) {
           changes_.push_back(now);
         }});
    REQUIRE(checker.has_value());
    checker_ = std::move(*checker);
  }

  // Turns until `done`; fails after 10 s.
  void turn_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      REQUIRE(checker_->turn());
    }
  }
  void turn_until_changes(std::size_t count) {
    turn_until([&] { return changes_.size() >= count; });
  }
  [[nodiscard]] const std::vector<balance::Liveness>& changes() const { return changes_; }
  [[nodiscard]] bool alive(std::uint32_t number) const {
    return changes_.empty() || changes_.back().alive(BackendId{number});
  }
  [[nodiscard]] Checker& checker() { return *checker_; }

 private:
  io::LinuxKernel kernel_;
  config::Config config_;
  std::vector<balance::Liveness> changes_;
  std::unique_ptr<Checker> checker_;
};

config::Health quick(HealthType type) {
  config::Health health;
  health.type = type;
  health.interval = 20ms;
  health.timeout = 2s;
  return health;
}

config::Health quick_timeout(HealthType type) {
  config::Health health = quick(type);
  health.timeout = 40ms;
  return health;
}

Endpoint refusing_address() {
  FakeBackend gone(always({}));
  return gone.address();
}

// The words of the first change to down of a backend that behaves like `manner`.
std::string first_words(const Manner& manner, const config::Health& health) {
  FakeBackend backend(always(manner));
  const CapturedLog log;
  Watch watch(health, {backend.address()});
  watch.turn_until_changes(1);
  CHECK_FALSE(watch.alive(0));
  return log.text();
}

bool says(const std::string& log, const std::string& words) {
  if (log.find(words + "\n") != std::string::npos) return true;
  UNSCOPED_INFO("the log says: " << log);
  return false;
}

TEST_CASE("a backend that answers as expected is asked properly and stays up", "[health]") {
  FakeBackend backend(always({.answer = ok}));
  config::Health health = quick(HealthType::http);
  health.path = "/healthz";
  Watch watch(health, {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 10; });
  CHECK(watch.changes().empty());
  CHECK(backend.last_request() ==
        "GET /healthz HTTP/1.1\r\nHost: " + backend.address().to_string() +
            "\r\nUser-Agent: penstock-health\r\nConnection: close\r\n\r\n");
}

TEST_CASE("an answer is read to its end before the socket is closed", "[health]") {
  const std::string large = "HTTP/1.1 200 OK\r\n\r\n" + std::string(30'000, 'x');
  FakeBackend backend(always({.answer = large}));
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.clean_ends() >= 5; });
  CHECK(watch.changes().empty());
}

TEST_CASE("a backend that keeps its connection open after the answer is up all the same",
          "[health]") {
  FakeBackend backend(always({.answer = ok, .end = End::hold}));
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 3; });
  CHECK(watch.changes().empty());
}

TEST_CASE("a tcp check passes when the backend takes the connection", "[health]") {
  FakeBackend backend(always({.answer = "", .end = End::hold}));
  Watch watch(quick(HealthType::tcp), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 10; });
  CHECK(watch.changes().empty());
}

TEST_CASE("a refusing backend goes down after `fall` probes and the others stay", "[health]") {
  FakeBackend living(always({.answer = ok}));
  const CapturedLog log;
  Watch watch(quick(HealthType::http), {living.address(), refusing_address(), living.address()});
  watch.turn_until_changes(1);
  CHECK(watch.alive(0));
  CHECK_FALSE(watch.alive(1));
  CHECK(watch.alive(2));
  CHECK(watch.changes().back().count() == 3);
  CHECK(says(log.text(), "warn app/b1 down: connect refused, 3 of 3"));
}

TEST_CASE("a silent backend is down for want of an answer", "[health]") {
  CHECK(says(first_words({.answer = "", .end = End::hold}, quick_timeout(HealthType::http)),
             "app/b0 down: no answer within 40ms, 3 of 3"));
}

TEST_CASE("half a status line is no answer", "[health]") {
  CHECK(says(
      first_words({.answer = "HTTP/1.1 20", .end = End::hold}, quick_timeout(HealthType::http)),
      "app/b0 down: no answer within 40ms, 3 of 3"));
  CHECK(says(first_words({.answer = "HTTP/1.1 200 O"}, quick(HealthType::http)),
             "app/b0 down: closed before a status line, 3 of 3"));
}

TEST_CASE("a backend that resets is down for that", "[health]") {
  CHECK(says(first_words({.answer = "", .end = End::reset}, quick(HealthType::http)),
             "app/b0 down: connection reset, 3 of 3"));
}

TEST_CASE("an unexpected status is named", "[health]") {
  CHECK(says(
      first_words({.answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n"}, quick(HealthType::http)),
      "app/b0 down: status 503, 3 of 3"));
}

TEST_CASE("an answer that is not HTTP is named, too long a line included", "[health]") {
  CHECK(says(first_words({.answer = "220 mail ready\r\n"}, quick(HealthType::http)),
             "app/b0 down: answer is not HTTP, 3 of 3"));
  CHECK(says(
      first_words({.answer = "HTTP/1.1 200 " + std::string(8000, 'x')}, quick(HealthType::http)),
      "app/b0 down: answer is not HTTP, 3 of 3"));
}

TEST_CASE("a connect that nobody answers times out", "[health]") {
  // A backlog of 0 takes one connection; the next SYNs are dropped.
  const UniqueFd listener =
      open_listener(Endpoint::parse("127.0.0.1:0").value(), {.backlog = 0, .reuse_port = false})
          .value();
  const Endpoint address = local_endpoint(listener.get()).value();
  std::vector<UniqueFd> filling;
  for (int i = 0; i < 4; ++i) {
    filling.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(filling.back().get(), address.address(), address.length()));
  }
  const CapturedLog log;
  Watch watch(quick_timeout(HealthType::tcp), {address});
  watch.turn_until_changes(1);
  CHECK(says(log.text(), "app/b0 down: connect timed out after 40ms, 3 of 3"));
}

TEST_CASE("a backend that is back is up after `rise` probes", "[health]") {
  FakeBackend backend(always({.answer = ok}));
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 3; });
  CHECK(watch.changes().empty());
  const CapturedLog log;
  backend.go_down();
  watch.turn_until_changes(1);
  CHECK_FALSE(watch.alive(0));
  const int before = backend.connections();
  backend.go_up();
  watch.turn_until_changes(2);
  CHECK(watch.alive(0));
  CHECK(backend.connections() - before >= 2);
  CHECK(log.has("info app/b0 up: status 200 in "));
  CHECK(log.has(" ms, 2 of 2\n"));
}

TEST_CASE("a backend that flaps at the check period keeps its state", "[health]") {
  FakeBackend backend([](int number) {
    return Manner{.answer = number % 2 == 0 ? ok : "HTTP/1.1 500 Oops\r\n\r\n"};
  });
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 40; });
  CHECK(watch.changes().empty());
}

std::string unix_path() { return "/tmp/penstock-health-" + std::to_string(::getpid()) + ".sock"; }

TEST_CASE("a unix backend answers an http check", "[health]") {
  FakeBackend backend(always({.answer = ok}), "unix:" + unix_path());
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 5; });
  CHECK(watch.changes().empty());
  CHECK(backend.last_request().find("\r\nHost: localhost\r\n") != std::string::npos);
  ::unlink(unix_path().c_str());
}

TEST_CASE("a unix backend passes a tcp check, and a missing one is refused", "[health]") {
  FakeBackend backend(always({.answer = "", .end = End::hold}), "unix:" + unix_path());
  const CapturedLog log;
  Watch watch(quick(HealthType::tcp), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 5; });
  CHECK(watch.changes().empty());
  ::unlink(unix_path().c_str());
  watch.turn_until_changes(1);
  CHECK(says(log.text(), "app/b0 down: connect refused (No such file or directory), 3 of 3"));
}

TEST_CASE("a unix backend whose backlog is full is refused", "[health]") {
  const Endpoint address = Endpoint::parse("unix:" + unix_path()).value();
  const UniqueFd listener = open_listener(address, {.backlog = 1, .reuse_port = false}).value();
  std::vector<UniqueFd> filling;
  for (int i = 0; i < 4; ++i) {
    filling.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(filling.back().get(), address.address(), address.length()));
  }
  const CapturedLog log;
  Watch watch(quick(HealthType::tcp), {address});
  watch.turn_until_changes(1);
  CHECK(says(log.text(), "app/b0 down: connect refused (backlog full), 3 of 3"));
  ::unlink(unix_path().c_str());
}

TEST_CASE("a shortage of descriptors here says nothing about the backends", "[health]") {
  FakeBackend backend(always({.answer = ok}));
  Watch watch(quick(HealthType::http), {backend.address()});
  watch.turn_until([&] { return backend.connections() >= 3; });
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const CapturedLog log;
  const rlimit none{.rlim_cur = 3, .rlim_max = usual.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  bool going = true;
  while (going && std::chrono::steady_clock::now() < until) going = watch.checker().turn();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  CHECK(going);
  CHECK(watch.changes().empty());
  CHECK(log.has("cannot open a socket: Too many open files"));
  const int before = backend.connections();
  watch.turn_until([&] { return backend.connections() >= before + 3; });
  CHECK(watch.changes().empty());
}

TEST_CASE("a large fleet is probed with a bounded number of descriptors", "[health]") {
  constexpr std::uint32_t fleet = 2000;
  const std::size_t before = open_descriptors();
  std::size_t most = 0;
  {
    // Never accepted: the kernel takes the connections and nobody answers.
    const UniqueFd listener = open_listener(Endpoint::parse("127.0.0.1:0").value(),
                                            {.backlog = 4096, .reuse_port = false})
                                  .value();
    const std::vector<Endpoint> backends(fleet, local_endpoint(listener.get()).value());
    config::Health health = quick_timeout(HealthType::http);
    health.interval = 250ms;
    health.fall = 1;
    const CapturedLog log;
    Watch watch(health, backends);
    watch.turn_until([&] {
      most = std::max(most, open_descriptors());
      std::uint32_t down = 0;
      for (std::uint32_t i = 0; i < fleet; ++i) down += watch.alive(i) ? 0U : 1U;
      return down == fleet;
    });
    CHECK(log.has("app/b1999 down: "));
  }
  CHECK(most > before + 100);
  CHECK(most <= before + Checker::probes_at_once + 8);
  CHECK(open_descriptors() == before);
}

TEST_CASE("another thread can stop it while probes are in flight, and nothing is left",
          "[health]") {
  const std::size_t before = open_descriptors();
  {
    FakeBackend silent(always({.answer = "", .end = End::hold}));
    config::Health health = quick(HealthType::http);
    health.timeout = 1h;
    Watch watch(health, {silent.address(), silent.address(), silent.address()});
    std::thread stopper([&] {
      while (silent.connections() < 3) std::this_thread::yield();
      watch.checker().stop();
    });
    while (watch.checker().turn()) {
    }
    stopper.join();
    CHECK_FALSE(watch.checker().turn());
    CHECK(watch.changes().empty());
    CHECK(silent.connections() == 3);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a checker without anything to check waits until it is stopped", "[health]") {
  io::LinuxKernel kernel;
  config::Config config;
  const auto features = io::probe_features({});
  REQUIRE(features.has_value());
  auto checker =
      Checker::create(kernel, config, {.features = *features, .seed = 0, .on_change = {}});
  REQUIRE(checker.has_value());
  std::thread stopper([&] { (*checker)->stop(); });
  while ((*checker)->turn()) {
  }
  stopper.join();
  CHECK_FALSE((*checker)->turn());
}

}  // namespace
}  // namespace penstock::health

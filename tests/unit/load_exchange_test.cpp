// An exchange whose target does what no server should: each operation is counted once, as what it
// was, and nothing that was not an operation is.
#include <fcntl.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>
#include <thread>

#include "load_loopback.h"

namespace penstock::load::test {
namespace {

constexpr std::size_t size = 100;

Driving::Make make_exchange(const Endpoint& at, const ExchangeOptions& options,
                            const std::optional<TimelineOptions>& timeline = std::nullopt) {
  return [=](Context& context) {
    return std::make_unique<Exchange>(context, options, make_dialer(context, at),
                                      timeline ? std::optional<Timeline>(*timeline) : std::nullopt);
  };
}

UniqueFd blocking_listener() {
  UniqueFd listener = open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value();
  const int flags = ::fcntl(listener.get(), F_GETFL);
  REQUIRE(::fcntl(listener.get(), F_SETFL, flags & ~O_NONBLOCK) == 0);
  constexpr timeval patience{.tv_sec = 20, .tv_usec = 0};
  REQUIRE(::setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  return listener;
}

/// A server that takes one connection, hears so many bytes of it, says so many of them back and
/// then nothing more, until the client has gone.
class Half {
 public:
  Half(std::size_t heard, std::size_t said)
      : listener_(blocking_listener()),
        at_(local_endpoint(listener_.get()).value()),
        thread_([this, heard, said] { serve(heard, said); }) {}
  [[nodiscard]] const Endpoint& at() const { return at_; }

 private:
  void serve(std::size_t heard, std::size_t said) const {
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::vector<std::byte> bytes(std::max(heard, said));
    if (heard > 0 && ::recv(client.get(), bytes.data(), heard, MSG_WAITALL) <= 0) return;
    if (::send(client.get(), bytes.data(), said, MSG_NOSIGNAL) < 0) return;
    while (::recv(client.get(), bytes.data(), bytes.size(), 0) > 0) {
    }
  }

  UniqueFd listener_;
  Endpoint at_;
  std::jthread thread_;
};

TEST_CASE("an answer that stops is short, one that never comes is late, others are dropped",
          "[load]") {
  const std::size_t said = GENERATE(std::size_t{0}, std::size_t{30});
  const Half server(4 * size, said);
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(
      64,
      make_exchange(
          server.at(),
          {.codec = &codec, .depth = 4, .closed_loop = true, .operations = 4, .timeout = 100ms}));
  client.until([&] { return client.engine().exhausted(); });
  const Recorder& seen = client.abandon();
  REQUIRE(seen.errors(said == 0 ? ErrorClass::timeout : ErrorClass::timeout_within) == 1);
  REQUIRE(seen.errors(ErrorClass::dropped) == 3);
  REQUIRE(seen.errors() == 4);
  REQUIRE(seen.count.lost_bytes == (said == 0 ? 0 : size - said));
  REQUIRE(seen.count.bytes_in == said);
}

TEST_CASE("what waits behind a wrong answer is dropped, not ended by the server", "[load]") {
  Serving serving({.kind = ServiceKind::chaos, .chaos = {Chaos::flip}, .chaos_bytes = size});
  const CodecRr codec({.request_size = size, .answer_size = size});
  const auto seen = exchange(serving.at(), {.codec = &codec, .depth = 8, .operations = 8});
  REQUIRE(seen->errors(ErrorClass::corrupt) == 1);
  REQUIRE(seen->errors(ErrorClass::dropped) == 7);
  REQUIRE(seen->errors() == 8);
  REQUIRE(seen->count.corrupt_streams == 1);
}

TEST_CASE("what was meant to begin in the warm-up is not measured, sent or not", "[load]") {
  const bool warming_up = GENERATE(false, true);
  const Half server(size, 0);
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(64, make_exchange(server.at(),
                                   {.codec = &codec,
                                    .most_waiting = 2,
                                    .warmup = warming_up ? Duration(1h) : Duration::zero()},
                                   TimelineOptions{.profile = {{1000, 1000, 10ms}}}));
  client.until(
      [&] { return client.engine().in_flight() == 1 && client.engine().next_tick() == never; });
  REQUIRE(client.engine().waiting() == 2);
  const Recorder& seen = client.abandon();
  REQUIRE(seen.count.unsent == (warming_up ? 0 : 7));
  REQUIRE(seen.errors(ErrorClass::unfinished) == (warming_up ? 0 : 3));
  REQUIRE(seen.errors() == seen.errors(ErrorClass::unfinished));
}

TEST_CASE("without catching up, what finds no connection is never sent and does not wait",
          "[load]") {
  const Half server(size, 0);
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(64, make_exchange(server.at(), {.codec = &codec, .catch_up = false},
                                   TimelineOptions{.profile = {{1000, 1000, 10ms}}, .burst = 10}));
  // Ten, where the machine is so slow that it comes too late even for the first.
  client.until([&] { return client.so_far().count.unsent >= 9; });
  REQUIRE(client.engine().waiting() == 0);
  const Recorder& seen = client.abandon();
  REQUIRE(seen.count.unsent + seen.errors(ErrorClass::unfinished) == 10);
}

TEST_CASE("an operation whose time has passed begins late, or not at all", "[load]") {
  const bool catch_up = GENERATE(true, false);
  Serving serving({.kind = ServiceKind::echo});
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(64,
                 make_exchange(serving.at(), {.codec = &codec, .catch_up = catch_up},
                               TimelineOptions{.profile = {{1000, 1000, 10ms}}}),
                 Driving::Begin::later);
  client.begin(io::LinuxKernel().now() - 1s);
  client.until([&] { return client.engine().exhausted(); });
  const Recorder& seen = client.finish();
  REQUIRE(seen.count.operations == (catch_up ? 10 : 0));
  REQUIRE(seen.count.unsent == (catch_up ? 0 : 10));
}

TEST_CASE("a connection that cannot be had is counted, and is no operation's error", "[load]") {
  const Endpoint nobody = [] {
    const auto fd = open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value();
    return local_endpoint(fd.get()).value();
  }();
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(
      64,
      make_exchange(nobody,
                    {.codec = &codec, .connections = 3, .closed_loop = true, .redial_after = 1h}),
      Driving::Begin::later);
  const Recorder& seen = client.abandon();
  REQUIRE(seen.count.connections_failed == 3);
  REQUIRE(seen.count.connections == 0);
  REQUIRE(seen.errors() == 0);
  REQUIRE(seen.reasons().contains(ErrorClass::connect_refused));
}

TEST_CASE("bytes that nobody had asked for spoil a stream, and are no operation's error",
          "[load]") {
  const Half server(0, 30);
  const CodecRr codec({.request_size = size, .answer_size = size});
  Driving client(
      64, make_exchange(server.at(), {.codec = &codec, .closed_loop = true, .redial_after = 1h}),
      Driving::Begin::later);
  client.until([&] { return client.so_far().count.bytes_in > 0; });
  const Recorder& seen = client.abandon();
  REQUIRE(seen.count.corrupt_streams == 1);
  REQUIRE(seen.errors() == 0);
}

}  // namespace
}  // namespace penstock::load::test

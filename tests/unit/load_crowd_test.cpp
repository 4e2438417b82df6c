// Crowds against our own service and against servers that do not do as they should.
#include <poll.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "../../src/load/crowd.h"
#include "../../src/load/parts.h"
#include "load_loopback.h"
#include "tls_engines.h"

namespace penstock::load::test {
namespace {

Driving::Make make_crowd(const Endpoint& at, CrowdOptions options, Crowd::MakePart make_part,
                         tls::Context* tls = nullptr) {
  return [at, options, make_part = std::move(make_part), tls](Context& context) {
    return std::make_unique<Crowd>(context, options, make_dialer(context, at, tls), make_part);
  };
}

Crowd::MakePart streams(bool verify) {
  return [verify](Member& member) {
    return member.number % 2 == 0 ? make_upload(member, verify) : make_download(member, verify);
  };
}

/// Accepts connections one after another and does the same with each, on a thread of its own.
class Odd {
 public:
  using Handle = std::function<void(int fd)>;
  explicit Odd(Handle handle)
      : listener_(open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value()),
        at_(local_endpoint(listener_.get()).value()),
        thread_([this, handle = std::move(handle)](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            pollfd waited{.fd = listener_.get(), .events = POLLIN, .revents = 0};
            ::poll(&waited, 1, 10);
            const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (fd.get() >= 0) handle(fd.get());
          }
        }) {}
  [[nodiscard]] const Endpoint& at() const { return at_; }

 private:
  UniqueFd listener_;
  Endpoint at_;
  std::jthread thread_;
};

/// Reads to the end of the stream, and how much.
std::uint64_t read_all(int fd) {
  std::uint64_t bytes = 0;
  std::vector<std::byte> part(65536);
  for (;;) {
    const ssize_t size = ::recv(fd, part.data(), part.size(), 0);
    if (size <= 0) return bytes;
    bytes += static_cast<std::uint64_t>(size);
  }
}

std::uint64_t tally_of(const Recorder& recorder, const std::string& name) {
  const auto found = recorder.tallies().find(name);
  return found == recorder.tallies().end() ? 0 : found->second;
}

TEST_CASE("streams of bulk data are whole in both directions, plain and over TLS", "[load]") {
  const bool secure = GENERATE(false, true);
  auto server_context = tls::test::make_server_context(tls::test::issue({}));
  auto client_context = tls::test::make_client_context(tls::Version::tls13);
  Serving serving({}, secure ? server_context.get() : nullptr);
  Driving driving(16, make_crowd(serving.at(), {.connections = 4}, streams(true),
                                 secure ? client_context.get() : nullptr));
  driving.turn_for(100ms);
  const Recorder& client = driving.finish();
  const Served server = serving.finish();
  CHECK(client.errors() == 0);
  CHECK(client.count.streams == 4);
  CHECK(client.count.bytes_out == server.bytes_in);
  CHECK(client.count.bytes_in == server.bytes_out);
  CHECK(server.wrong_streams == 0);
  CHECK(client.count.handshakes_full == (secure ? 4 : 0));
  REQUIRE(client.streams().size() == 4);
  std::uint64_t up = 0;
  for (const StreamFacts& stream : client.streams()) {
    CHECK(stream.whole);
    CHECK(stream.bytes > 0);
    CHECK(stream.lasted >= 90ms);
    if (stream.up) up += stream.bytes;
  }
  CHECK(up == server.verified);
}

TEST_CASE("what of an upload did not arrive is counted", "[load]") {
  std::atomic<std::uint64_t> missing = 0;
  Odd odd([&missing](int fd) {
    const std::uint64_t bytes = read_all(fd) - Preface::size;
    missing = bytes / 2;
    const auto receipt = Receipt{.bytes = bytes - missing}.encode();
    ::send(fd, receipt.data(), receipt.size(), MSG_NOSIGNAL);
  });
  Driving driving(16, make_crowd(odd.at(), {}, streams(true)));
  driving.turn_for(30ms);
  const Recorder& client = driving.finish();
  CHECK(client.count.streams == 0);
  CHECK(client.errors(ErrorClass::ended_within) == 1);
  CHECK(client.count.lost_bytes == missing.load());
  REQUIRE(client.streams().size() == 1);
  CHECK_FALSE(client.streams().front().whole);
}

TEST_CASE("wrong bytes are found in uploads and in downloads", "[load]") {
  const bool up = GENERATE(true, false);
  Odd odd([up](int fd) {
    std::vector<std::byte> bytes(65536, std::byte{7});
    if (up) {
      const auto receipt = Receipt{.bytes = read_all(fd), .first_wrong = 12345}.encode();
      ::send(fd, receipt.data(), receipt.size(), MSG_NOSIGNAL);
    } else {
      ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      read_all(fd);
    }
  });
  Driving driving(
      16, make_crowd(odd.at(), {.first_number = up ? 0U : 1U, .redial_after = 1s}, streams(true)));
  driving.turn_for(30ms);
  const Recorder& client = driving.finish();
  CHECK(client.errors(ErrorClass::corrupt) == 1);
  CHECK(client.count.corrupt_streams == 1);
  const std::string& why = client.reasons().at(ErrorClass::corrupt);
  CHECK(why.find(up ? "byte 12345 of an upload" : "from byte 0 of a download") !=
        std::string::npos);
}

TEST_CASE("streams that are cut off are errors, and others take their places", "[load]") {
  Odd odd([](int fd) {
    std::vector<std::byte> part(1000);
    (void)::recv(fd, part.data(), part.size(), 0);
  });
  Driving driving(16, make_crowd(odd.at(), {.connections = 2, .redial_after = 5ms}, streams(true)));
  driving.turn_for(100ms);
  const Recorder& client = driving.abandon();
  CHECK(client.count.streams == 0);
  CHECK(client.count.connections > 2);
  CHECK(client.errors(ErrorClass::reset_within) + client.errors(ErrorClass::ended_within) > 0);
  CHECK(client.errors(ErrorClass::ended_before) + client.errors(ErrorClass::reset_before) > 0);
}

TEST_CASE("without a check any server that reads will do", "[load]") {
  Odd odd([](int fd) { read_all(fd); });
  Driving driving(16, make_crowd(odd.at(), {}, streams(false)));
  driving.turn_for(20ms);
  const Recorder& client = driving.finish();
  CHECK(client.errors() == 0);
  CHECK(client.count.streams == 1);
}

TEST_CASE("idle connections are opened at a pace and held until the end", "[load]") {
  Serving serving({});
  const auto start = std::chrono::steady_clock::now();
  Driving driving(
      40, make_crowd(serving.at(), {.connections = 20, .dials_per_second = 200}, make_idle));
  CHECK(std::chrono::steady_clock::now() - start >= 90ms);
  const Recorder& client = driving.finish();
  CHECK(client.errors() == 0);
  CHECK(client.count.streams == 20);
  CHECK(serving.finish().accepted == 20);
}

TEST_CASE("an idle connection that is lost is an error", "[load]") {
  Odd odd([](int /*fd*/) {});
  Driving driving(16, make_crowd(odd.at(), {.redial_after = 1s}, make_idle));
  driving.turn_for(20ms);
  const Recorder& client = driving.finish();
  CHECK(client.errors(ErrorClass::idle_lost) == 1);
  CHECK(client.count.streams == 0);
}

TEST_CASE("nobody answers: the errors say so, and it ends", "[load]") {
  Endpoint refused;
  {
    const UniqueFd closed = open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value();
    refused = local_endpoint(closed.get()).value();
  }
  Driving driving(16, make_crowd(refused, {.connections = 3}, make_idle));
  const Recorder& client = driving.finish();
  CHECK(client.errors(ErrorClass::connect_refused) == 3);
}

TEST_CASE("hostile clients: what the target does about each is counted", "[load]") {
  const auto kind = GENERATE(ChaosKind::slowloris, ChaosKind::half_hello, ChaosKind::zero_window,
                             ChaosKind::garbage, ChaosKind::silent);
  const ChaosMaterial material{.hello = std::vector<std::byte>(300, std::byte{0x16}),
                               .request = "GET / HTTP/1.1\r\n\r\n"};
  const auto make = [&](Member& member) { return make_chaos(member, kind, material); };
  const std::string name(name_of(kind));
  CAPTURE(name);
  SECTION("a target with patience") {
    Odd odd([](int fd) { read_all(fd); });
    Driving driving(16, make_crowd(odd.at(), {.dials_before = false}, make));
    driving.turn_for(30ms);
    const Recorder& client = driving.finish();
    CHECK(client.errors() == 0);
    CHECK(tally_of(client, name + ": connected") == 1);
    CHECK(tally_of(client, name + ": held until the end") == 1);
    CHECK((client.count.bytes_out > 0) == (kind != ChaosKind::silent));
    CHECK(client.histogram(Measure::endured).count() == 0);
  }
  SECTION("a target without") {
    Odd odd([](int /*fd*/) {});
    Driving driving(16,
                    make_crowd(odd.at(), {.dials_per_second = 100, .dials_before = false}, make));
    driving.turn_for(100ms);
    const Recorder& client = driving.finish();
    const std::uint64_t ended = tally_of(client, name + ": ended by the target") +
                                tally_of(client, name + ": reset by the target");
    CHECK(tally_of(client, name + ": connected") >= 2);
    // Who reads nothing learns of a reset only.
    if (kind != ChaosKind::zero_window) CHECK(ended >= 1);
    CHECK(client.histogram(Measure::endured).count() == ended);
  }
}

TEST_CASE("a storm of resets is as strong as its pace", "[load]") {
  Serving serving({});
  const ChaosMaterial material;
  Driving driving(
      64,
      make_crowd(serving.at(), {.connections = 4, .dials_per_second = 500, .dials_before = false},
                 [&](Member& member) { return make_chaos(member, ChaosKind::reset, material); }));
  driving.turn_for(200ms);
  const Recorder& client = driving.finish();
  const std::uint64_t resets = tally_of(client, "reset: reset by us");
  CHECK(resets >= 20);
  CHECK(resets <= 110);
  CHECK(client.count.streams == resets);
}

}  // namespace
}  // namespace penstock::load::test

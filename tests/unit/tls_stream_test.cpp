// An established connection: bulk in both directions through windows of random sizes, both
// half-closes, truncation, and the messages that OpenSSL puts between the data.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tls_client.h"

namespace penstock::tls::test {
namespace {

constexpr std::size_t one_mib = std::size_t{1} << 20U;

TEST_CASE("a mebibyte goes each way unchanged through windows of random sizes", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(version, seed);
  Pair pair(version);
  Server& server = pair.server;
  const Bytes up = random_bytes(one_mib, seed);
  const Bytes down = random_bytes(one_mib, seed + 100);
  std::mt19937 generator(seed);
  const auto below = [&](std::size_t limit) { return 1 + generator() % limit; };
  // Small windows in the first half of the seeds, large ones in the second.
  const std::size_t largest = seed <= 2 ? 600 : 40000;
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  std::size_t want_output = 0;
  while (server.received.size() < up.size() || pair.client.received.size() < down.size()) {
    if (sent_up < up.size()) {
      const std::size_t size = std::min(below(largest), up.size() - sent_up);
      pair.client.write(std::span(up).subspan(sent_up, size));
      sent_up += size;
      pair.to_server();
    }
    server.input_limit = below(largest);
    server.output_limit = below(largest);
    const Outcome read = server.read(below(largest));
    REQUIRE((read.status == Status::ok || read.status == Status::want_input));
    server.output_limit = below(largest);
    const auto rest = std::span(down).subspan(sent_down);
    const Outcome write = server.write(rest.first(std::min(rest.size(), below(largest))));
    REQUIRE((write.status == Status::ok || write.status == Status::want_output));
    if (write.status == Status::want_output) ++want_output;
    sent_down += write.bytes;
    REQUIRE(server.output.size() <= write.bytes + 96 * (1 + write.bytes / 1024));
    pair.to_client();
  }
  REQUIRE(want_output > 0);
  REQUIRE(server.received == up);
  REQUIRE(pair.client.received == down);
}

TEST_CASE("write takes only what is entirely in the output", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const std::size_t room =
      GENERATE(0U, 1U, 50U, 96U, 97U, 98U, 200U, 5000U, 16480U, 16481U, 40000U);
  CAPTURE(version, room);
  Pair pair(version);
  const Bytes data = random_bytes(100000, 7);
  pair.server.output_limit = room;
  const Outcome outcome = pair.server.write(data);
  REQUIRE(outcome.status == Status::want_output);
  REQUIRE((outcome.bytes > 0) == (room > Engine::record_overhead));
  pair.to_client();
  REQUIRE(pair.client.received ==
          Bytes(data.begin(), data.begin() + static_cast<long>(outcome.bytes)));
}

TEST_CASE("a window full of large records is filled well", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  const Bytes data = random_bytes(200000, 7);
  pair.server.output_limit = 65536;
  const Outcome outcome = pair.server.write(data);
  REQUIRE(outcome.status == Status::want_output);
  REQUIRE(outcome.bytes > 64000);
}

TEST_CASE("writing nothing is done at once", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  const Outcome outcome = pair.server.write({});
  REQUIRE(outcome.status == Status::ok);
  REQUIRE(pair.server.output.empty());
}

TEST_CASE("a client that negotiated small records gets small records", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  auto context = make_context({});
  Client client({.version = version});
  REQUIRE(SSL_set_tlsext_max_fragment_length(client.ssl(), TLSEXT_max_fragment_length_512) == 1);
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  const Bytes data = random_bytes(50000, 3);
  std::size_t sent = 0;
  while (sent < data.size()) {
    server.output_limit = 3000;
    sent += server.write(std::span(data).subspan(sent)).bytes;
    client.deliver(server.take());
    client.read();
  }
  REQUIRE(client.received == data);
}

TEST_CASE("read tells what it holds", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  pair.client.write(bytes_of("0123456789"));
  pair.to_server();
  REQUIRE_FALSE(pair.server.engine->has_pending());
  const Outcome first = pair.server.read(4);
  REQUIRE(first.status == Status::ok);
  REQUIRE(first.bytes == 4);
  REQUIRE(pair.server.engine->has_pending());
  REQUIRE_FALSE(pair.server.input_left());
  const Outcome second = pair.server.read(100);
  REQUIRE(second.status == Status::want_input);
  REQUIRE(second.bytes == 6);
  REQUIRE_FALSE(pair.server.engine->has_pending());
}

TEST_CASE("half a record is not pending", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  pair.client.write(bytes_of("0123456789"));
  Bytes record = pair.client.take();
  const Bytes tail(record.begin() + 10, record.end());
  record.resize(10);
  pair.server.deliver(record);
  REQUIRE(pair.server.read().status == Status::want_input);
  REQUIRE_FALSE(pair.server.engine->has_pending());
  pair.server.deliver(tail);
  REQUIRE(pair.server.read().bytes == 10);
}

TEST_CASE("the client ends its direction and still receives", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const bool with_fin = GENERATE(false, true);
  Pair pair(version);
  pair.client.write(bytes_of("last words"));
  pair.client.close_notify();
  pair.to_server();
  pair.server.ended = with_fin;
  const Outcome read = pair.server.read();
  REQUIRE(read.status == Status::closed);
  REQUIRE(text_of(pair.server.received) == "last words");
  REQUIRE(pair.server.read().status == Status::closed);

  const Bytes data = random_bytes(100000, 5);
  std::size_t sent = 0;
  while (sent < data.size()) {
    const Outcome write = pair.server.write(std::span(data).subspan(sent));
    REQUIRE((write.status == Status::ok || write.status == Status::want_output));
    sent += write.bytes;
    pair.to_client();
  }
  REQUIRE(pair.client.received == data);
  REQUIRE(pair.server.close_notify() == Status::ok);
  pair.to_client();
  REQUIRE(pair.client.closed());
  REQUIRE(pair.client.error().empty());
}

TEST_CASE("the server ends its direction and still receives", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Pair pair(version);
  REQUIRE(pair.server.write(bytes_of("bye")).status == Status::ok);
  REQUIRE(pair.server.close_notify() == Status::ok);
  REQUIRE(pair.server.close_notify() == Status::ok);
  pair.to_client();
  REQUIRE(text_of(pair.client.received) == "bye");
  REQUIRE(pair.client.closed());

  const Bytes data = random_bytes(100000, 6);
  pair.client.write(data);
  pair.client.close_notify();
  pair.to_server();
  Outcome read;
  do {
    read = pair.server.read(5000);
    REQUIRE((read.status == Status::ok || read.status == Status::closed ||
             read.status == Status::want_input));
  } while (read.status != Status::closed);
  REQUIRE(pair.server.received == data);
  REQUIRE(pair.server.output.empty());
}

TEST_CASE("a KeyUpdate request after our close_notify is not answered", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  REQUIRE(pair.server.close_notify() == Status::ok);
  (void)pair.server.take();
  SSL_key_update(pair.client.ssl(), SSL_KEY_UPDATE_REQUESTED);
  pair.client.write(bytes_of("still here"));
  pair.to_server();
  REQUIRE(pair.server.read().status == Status::want_input);
  REQUIRE(text_of(pair.server.received) == "still here");
  REQUIRE(pair.server.output.empty());
}

TEST_CASE("close_notify waits for room and comes out once", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const std::size_t room = GENERATE(0U, 1U, 10U);
  Pair pair(version);
  pair.server.output_limit = room;
  REQUIRE(pair.server.close_notify() == Status::want_output);
  pair.server.output_limit = 7;
  while (pair.server.close_notify() == Status::want_output) {
  }
  const std::size_t size = pair.server.output.size();
  REQUIRE(pair.server.close_notify() == Status::ok);
  REQUIRE(pair.server.output.size() == size);
  pair.to_client();
  REQUIRE(pair.client.closed());
  REQUIRE(pair.client.error().empty());
}

TEST_CASE("a FIN without close_notify is a truncation, after the bytes before it", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Pair pair(version);
  pair.client.write(bytes_of("half a mess"));
  pair.to_server();
  SECTION("between records") {}
  SECTION("inside a record") {
    pair.client.write(bytes_of("age"));
    Bytes record = pair.client.take();
    record.resize(record.size() - 1);
    pair.server.deliver(record);
  }
  SECTION("inside a record's header") {
    pair.client.write(bytes_of("age"));
    Bytes record = pair.client.take();
    record.resize(3);
    pair.server.deliver(record);
  }
  pair.server.ended = true;
  const Outcome outcome = pair.server.read();
  REQUIRE(outcome.status == Status::truncated);
  REQUIRE(text_of(pair.server.received) == "half a mess");
  REQUIRE(pair.server.engine->failure() == "the peer ended the connection without close_notify");
  REQUIRE(pair.server.read().status == Status::truncated);
  REQUIRE(pair.server.write(bytes_of("x")).status == Status::truncated);
  (void)pair.server.take();
  REQUIRE(pair.server.close_notify() == Status::truncated);
  REQUIRE(pair.server.output.empty());
}

TEST_CASE("a changed byte fails the connection with an alert", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  Pair pair(version);
  pair.client.write(bytes_of("good"));
  pair.to_server();
  pair.client.write(bytes_of("bad"));
  Bytes record = pair.client.take();
  record.back() ^= std::byte{1};
  pair.server.deliver(record);
  const Outcome outcome = pair.server.read();
  REQUIRE(outcome.status == Status::failed);
  REQUIRE(text_of(pair.server.received) == "good");
  REQUIRE(pair.server.engine->failure() == "decryption failed or bad record mac");
  pair.to_client();
  REQUIRE(pair.client.error().ends_with("alert bad record mac"));
  REQUIRE(pair.server.write(bytes_of("x")).status == Status::failed);
}

TEST_CASE("a fatal alert from the client fails the connection with its name", "[tls]") {
  Pair pair(TLS1_3_VERSION);
  REQUIRE(pair.server.write(bytes_of("data")).status == Status::ok);
  Bytes record = pair.server.take();
  record.back() ^= std::byte{1};
  pair.client.deliver(record);
  pair.client.read();
  pair.to_server();
  REQUIRE(pair.server.read().status == Status::failed);
  REQUIRE(pair.server.engine->failure().ends_with("alert bad record mac"));
}

TEST_CASE("KeyUpdate requests are answered, also when there is no room", "[tls]") {
  const std::size_t room = GENERATE(0U, 5U, 65536U);
  Pair pair(TLS1_3_VERSION);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(SSL_key_update(pair.client.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    pair.client.write(bytes_of("ping"));
  }
  pair.to_server();
  pair.server.output_limit = room;
  const Outcome outcome = pair.server.read();
  if (room < 22) {
    REQUIRE(outcome.status == Status::want_output);
    // Writing waits too, and takes nothing.
    const Outcome write = pair.server.write(bytes_of("pong"));
    REQUIRE(write.status == Status::want_output);
    REQUIRE(write.bytes == 0);
  }
  pair.server.output_limit = 200;
  while (pair.server.read().status != Status::want_input) {
  }
  REQUIRE(text_of(pair.server.received) == "pingpingpingpingping");
  REQUIRE(pair.server.write(bytes_of("pong")).status == Status::ok);
  pair.to_client();
  REQUIRE(text_of(pair.client.received) == "pong");
  REQUIRE(pair.client.error().empty());
}

TEST_CASE("renegotiation is declined with a warning, and the data goes on", "[tls]") {
  const std::size_t room = GENERATE(0U, 5U, 65536U);
  Pair pair(TLS1_2_VERSION);
  pair.client.write(bytes_of("before"));
  REQUIRE(SSL_renegotiate(pair.client.ssl()) == 1);
  (void)pair.client.handshake();
  pair.to_server();
  pair.server.output_limit = room;
  const Status status = pair.server.read().status;
  REQUIRE(status == (room < 31 ? Status::want_output : Status::want_input));
  REQUIRE(text_of(pair.server.received) == "before");
  pair.server.output_limit = 200;
  REQUIRE(pair.server.write(bytes_of("after")).status == Status::ok);
  REQUIRE(pair.server.engine->failure().empty());
  pair.client.deliver(pair.server.take());
  pair.client.read();
  REQUIRE(pair.client.error() == "no renegotiation");
}

TEST_CASE("errors of one connection do not reach another on the same thread", "[tls]") {
  Pair good(TLS1_3_VERSION);
  Pair bad(TLS1_3_VERSION);
  bad.server.deliver(random_bytes(100, 1));
  REQUIRE(bad.server.read().status == Status::failed);
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);  // left behind by somebody
  REQUIRE(good.server.read().status == Status::want_input);
  REQUIRE(good.server.write(bytes_of("fine")).status == Status::ok);
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  REQUIRE(good.server.close_notify() == Status::ok);
  ERR_clear_error();
  REQUIRE(good.server.engine->failure().empty());
}

}  // namespace
}  // namespace penstock::tls::test

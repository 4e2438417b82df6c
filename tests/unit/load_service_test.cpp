// The service against an exchange: both count the same, and neither finds anything wrong with the
// other, but for what was made wrong on purpose.
#include <fcntl.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <thread>

#include "load_loopback.h"
#include "tls_engines.h"

namespace penstock::load::test {
namespace {

void require_clean(const Recorder& client, const Served& server) {
  for (const ErrorInfo& error : all_errors()) {
    INFO(error.text);
    REQUIRE(client.errors(error.error) == 0);
  }
  REQUIRE(server.accepted == server.closed);
  REQUIRE(server.lost == 0);
  REQUIRE(server.refused == 0);
  REQUIRE(server.accept_errors == 0);
  REQUIRE(server.wrong_streams == 0);
  REQUIRE(server.bad_requests == 0);
  REQUIRE(server.resets == 0);
  REQUIRE(server.truncated == 0);
  REQUIRE(server.tls_errors == 0);
  REQUIRE(server.lingered == 0);
  REQUIRE(server.abandoned == 0);
  REQUIRE(client.count.connections == server.accepted);
  REQUIRE(client.count.bytes_out == server.bytes_in);
  REQUIRE(client.count.bytes_in == server.bytes_out);
}

TEST_CASE("requests are echoed, whatever their size and number", "[load]") {
  const std::size_t size = GENERATE(std::size_t{1}, std::size_t{64}, std::size_t{100'000});
  const std::uint32_t depth = GENERATE(1U, 8U);
  Serving serving({});
  const CodecRr codec({.request_size = size, .answer_size = size});
  const auto client = exchange(
      serving.at(), {.codec = &codec, .connections = 10, .depth = depth, .operations = 500});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 500);
  REQUIRE(client->count.bytes_in == 500 * size);
  REQUIRE(client->histogram(Measure::latency).count() == 500);
  REQUIRE(server.accepted == 10);
}

TEST_CASE("requests are checked and answered in another size", "[load]") {
  const bool large_answers = GENERATE(false, true);
  const std::uint32_t depth = GENERATE(1U, 8U);
  const std::size_t request_size = large_answers ? 100 : 70'000;
  const std::size_t answer_size = large_answers ? 70'000 : 100;
  Serving serving({});
  const CodecRr codec({.request_size = request_size, .answer_size = answer_size});
  const auto client = exchange(
      serving.at(), {.codec = &codec, .connections = 10, .depth = depth, .operations = 500});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 500);
  REQUIRE(server.requests == 500);
  REQUIRE(server.verified == 500 * request_size);
  REQUIRE(client->count.bytes_in == 500 * answer_size);
}

TEST_CASE("HTTP requests are answered, also several at once", "[load]") {
  const std::uint32_t depth = GENERATE(1U, 16U);
  Serving serving({.kind = ServiceKind::http, .body_size = 1234});
  const CodecHttp codec("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  const auto client = exchange(
      serving.at(), {.codec = &codec, .connections = 5, .depth = depth, .operations = 1000});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 1000);
  REQUIRE(client->statuses() == std::map<int, std::uint64_t>{{200, 1000}});
  REQUIRE(server.requests == 1000);
  REQUIRE(server.accepted == 5);
}

TEST_CASE("a server that closes after each answer gets a connection for each request", "[load]") {
  Serving serving({.kind = ServiceKind::http, .body_size = 10});
  const CodecHttp codec("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const auto client = exchange(serving.at(), {.codec = &codec, .connections = 3, .operations = 60});
  const Served server = serving.finish();
  REQUIRE(client->errors() == 0);
  REQUIRE(client->count.operations == 60);
  REQUIRE(server.requests == 60);
  REQUIRE(server.resets == 0);
  REQUIRE(client->count.connections == server.accepted);
}

TEST_CASE("answers of status 400 are errors, and the exchange goes on", "[load]") {
  Serving serving({.kind = ServiceKind::http});
  const CodecHttp codec("nonsense\r\n\r\n");
  const auto client = exchange(serving.at(), {.codec = &codec, .connections = 2, .operations = 20});
  const Served server = serving.finish();
  REQUIRE(client->count.operations == 0);
  REQUIRE(client->errors(ErrorClass::http_status) == 20);
  REQUIRE(client->errors() == 20);
  REQUIRE(client->statuses() == std::map<int, std::uint64_t>{{400, 20}});
  REQUIRE(server.bad_requests == 20);
}

TEST_CASE("an answer that comes before its request is out ends the use of the connection",
          "[load]") {
  const UniqueFd listener = open_listener(Endpoint::parse("127.0.0.1:0").value(), {}).value();
  REQUIRE(::fcntl(listener.get(), F_SETFL, 0) == 0);
  std::jthread server([&] {
    for (int i = 0; i < 2; ++i) {
      const UniqueFd client(::accept(listener.get(), nullptr, nullptr));
      constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      std::vector<char> part(65536);
      if (::recv(client.get(), part.data(), 100, 0) <= 0) continue;
      (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      while (::recv(client.get(), part.data(), part.size(), 0) > 0) {
      }
    }
  });
  std::string request = "POST / HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n";
  request.resize(request.size() + 50'000'000, 'x');
  const CodecHttp codec(std::move(request));
  const auto client = exchange(local_endpoint(listener.get()).value(),
                               {.codec = &codec, .operations = 2, .redial_after = 1ms});
  REQUIRE(client->errors() == 0);
  REQUIRE(client->count.operations == 2);
  REQUIRE(client->count.connections >= 2);
}

TEST_CASE("a connection for each operation", "[load]") {
  const auto ending = GENERATE(Ending::plain, Ending::reset);
  Serving serving({});
  const CodecRr codec({.request_size = 100, .answer_size = 300});
  const auto client = exchange(
      serving.at(),
      {.codec = &codec, .connections = 8, .one_each = true, .ending = ending, .operations = 400});
  const Served server = serving.finish();
  REQUIRE(client->errors() == 0);
  REQUIRE(client->count.operations == 400);
  REQUIRE(client->count.connections == 400);
  REQUIRE(server.accepted == 400);
  REQUIRE(server.closed == (ending == Ending::reset ? 0 : 400));
  REQUIRE(server.lost == (ending == Ending::reset ? 400 : 0));
  REQUIRE(server.requests == 400);
  REQUIRE(server.resets == (ending == Ending::reset ? 400 : 0));
  REQUIRE(client->count.bytes_in == server.bytes_out);
  REQUIRE(client->count.bytes_out == server.bytes_in);
}

TEST_CASE("the same over TLS", "[load]") {
  const auto version = GENERATE(tls::Version::tls12, tls::Version::tls13);
  const bool one_each = GENERATE(false, true);
  auto server_context = tls::test::make_server_context(tls::test::issue({}));
  auto client_context = tls::test::make_client_context(version);
  Serving serving({}, server_context.get());
  const CodecRr codec({.request_size = 50'000, .answer_size = 20'000});
  const auto client = exchange(serving.at(),
                               {.codec = &codec,
                                .connections = 4,
                                .depth = one_each ? 1U : 4U,
                                .one_each = one_each,
                                .operations = 100},
                               client_context.get());
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 100);
  REQUIRE(client->count.handshakes_full == server.handshakes);
  REQUIRE(server.handshakes == (one_each ? 100 : 4));
  REQUIRE(server.handshakes_failed == 0);
}

TEST_CASE("a share of the connections resumes sessions, of each name its own", "[load]") {
  const auto version = GENERATE(tls::Version::tls12, tls::Version::tls13);
  const double share = GENERATE(0.25, 1.0);
  auto server_context = tls::test::make_server_context(tls::test::issue({}));
  auto client_context = tls::test::make_client_context(version);
  Serving serving({}, server_context.get());
  const CodecRr codec({.request_size = 64, .answer_size = 64});
  const auto client = exchange(
      serving.at(), {.codec = &codec, .connections = 1, .one_each = true, .operations = 80},
      client_context.get(), {.server_names = {"a.test", "b.test"}, .resume_share = share});
  require_clean(*client, serving.finish());
  const Counters& count = client->count;
  CHECK(count.handshakes_full + count.handshakes_resumed == 80);
  CHECK(count.handshakes_resumed == count.sessions_offered);
  // The first of each name has nothing to offer.
  const auto wanted = static_cast<std::uint64_t>(80 * share);
  CHECK(count.sessions_offered <= wanted);
  CHECK(count.sessions_offered >= wanted - 2);
}

TEST_CASE("a thousand connections", "[load]") {
  Serving serving({}, nullptr, 1100);
  const CodecRr codec({.request_size = 64, .answer_size = 64});
  const auto client =
      exchange(serving.at(), {.codec = &codec, .connections = 1000, .operations = 10'000});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 10'000);
  REQUIRE(server.accepted == 1000);
}

TEST_CASE("those who find no place are reset and counted", "[load]") {
  Serving serving({}, nullptr, 2);
  const Plain first(serving.at());
  const Plain second(serving.at());
  first.send("a");
  second.send("a");
  REQUIRE(first.receive_all(1).size() == 1);
  REQUIRE(second.receive_all(1).size() == 1);
  const Plain third(serving.at());
  std::vector<std::byte> byte(1);
  REQUIRE(third.receive(byte) < 0);
  first.end();
  second.end();
  REQUIRE(first.rest().empty());
  REQUIRE(second.rest().empty());
  const Served server = serving.finish();
  REQUIRE(server.refused == 1);
  REQUIRE(server.accepted == 3);
  REQUIRE(server.closed == 2);
  REQUIRE(server.lost == 1);
}

TEST_CASE("an echo of 100 MB to a client that reads late holds few buffers", "[load]") {
  constexpr std::uint64_t bytes = 100'000'000;
  constexpr StreamKey key{.value = 4711};
  Serving serving({});
  const Plain client(serving.at(), 65536);
  bool all_sent = true;
  std::jthread writer([&] {
    std::vector<std::byte> part(100'000);
    for (std::uint64_t at = 0; at < bytes && all_sent; at += part.size()) {
      fill_pattern(key, at, part);
      all_sent = client.send_all(part);
    }
    all_sent = ::shutdown(client.fd(), SHUT_WR) == 0 && all_sent;
  });
  // Nothing is read until the server has stopped reading: what it took stays the same for a while.
  for (std::uint64_t before = 0, same = 0; same < 20000; std::this_thread::yield()) {
    const std::uint64_t now = serving.service().read().bytes_in;
    same = now == before && now > 0 ? same + 1 : 0;
    before = now;
  }
  REQUIRE(serving.service().read().bytes_in < bytes / 4);
  std::vector<std::byte> part(65536);
  std::uint64_t at = 0;
  while (const ssize_t size = client.receive(part)) {
    REQUIRE(size > 0);
    const auto seen = std::span(part).first(static_cast<std::size_t>(size));
    REQUIRE_FALSE(check_pattern(key, at, seen));
    at += seen.size();
  }
  REQUIRE(at == bytes);
  writer.join();
  REQUIRE(all_sent);
  const Served server = serving.finish();
  REQUIRE(server.bytes_in == bytes);
  REQUIRE(server.bytes_out == bytes);
  REQUIRE(server.resets == 0);
}

TEST_CASE("an upload is answered with a receipt", "[load]") {
  const bool damaged = GENERATE(false, true);
  constexpr StreamKey key{.value = 12};
  std::vector<std::byte> stream(1'000'000);
  fill_pattern(key, 0, stream);
  if (damaged) stream[777'777] ^= std::byte{4};
  Serving serving({});
  const Plain client(serving.at());
  client.send(Preface{.purpose = Purpose::upload, .key = key}.encode());
  client.send(stream);
  client.end();
  const auto answer = client.receive_all(Receipt::size);
  REQUIRE(client.rest().empty());
  const auto receipt = Receipt::decode(std::span(answer).first<Receipt::size>());
  REQUIRE(receipt);
  REQUIRE(receipt->bytes == stream.size());
  REQUIRE(receipt->first_wrong == (damaged ? std::optional<std::uint64_t>(777'777) : std::nullopt));
  const Served server = serving.finish();
  REQUIRE(server.wrong_streams == (damaged ? 1 : 0));
  REQUIRE(server.verified == (damaged ? 777'777 : 1'000'000));
}

TEST_CASE("a download is as long as it was asked for", "[load]") {
  constexpr StreamKey key{.value = 99};
  constexpr std::uint64_t bytes = 3'000'001;
  Serving serving({});
  const Plain client(serving.at());
  client.send(Preface{.purpose = Purpose::download, .key = key, .bytes = bytes}.encode());
  const std::string stream = client.rest();
  REQUIRE(stream.size() == bytes);
  REQUIRE_FALSE(check_pattern(answer_key(key), 0, std::as_bytes(std::span(stream))));
  client.end();
  REQUIRE(serving.finish().resets == 0);
}

TEST_CASE("a download without end ends with the client's stream, or with the service", "[load]") {
  const bool client_ends = GENERATE(false, true);
  const auto kind = GENERATE(ServiceKind::echo, ServiceKind::source);
  Serving serving({.kind = kind});
  const Plain client(serving.at());
  if (kind == ServiceKind::echo) client.send(Preface{.purpose = Purpose::download}.encode());
  const auto begin = client.receive_all(1'000'000);
  REQUIRE_FALSE(check_pattern(answer_key({}), 0, begin));
  if (client_ends) {
    client.end();
  } else {
    serving.stop();
  }
  const std::string rest = client.rest();
  REQUIRE_FALSE(check_pattern(answer_key({}), begin.size(), std::as_bytes(std::span(rest))));
  if (!client_ends) client.end();
  const Served server = serving.finish();
  REQUIRE(server.bytes_out == begin.size() + rest.size());
  REQUIRE(server.resets == 0);
}

TEST_CASE("a sink reads everything and says nothing", "[load]") {
  Serving serving({.kind = ServiceKind::sink});
  const Plain client(serving.at());
  client.send(std::string(1'000'000, 'x'));
  client.end();
  REQUIRE(client.rest().empty());
  const Served server = serving.finish();
  REQUIRE(server.bytes_in == 1'000'000);
  REQUIRE(server.bytes_out == 0);
  REQUIRE(server.resets == 0);
}

TEST_CASE("a wrong byte in a request ends the connection with a reset", "[load]") {
  Serving serving({});
  const Plain client(serving.at());
  client.send(Preface{.purpose = Purpose::rr, .request_size = 8, .answer_size = 8}.encode());
  client.send("wrongwrong");
  std::vector<std::byte> byte(1);
  REQUIRE(client.receive(byte) < 0);
  const Served server = serving.finish();
  REQUIRE(server.wrong_streams == 1);
  REQUIRE(server.requests == 0);
}

TEST_CASE("a stream that begins like a preface and is none is echoed", "[load]") {
  Serving serving({});
  const Plain ends(serving.at());
  ends.send("penload");
  ends.end();
  REQUIRE(ends.rest() == "penload");
  const Plain waits(serving.at());
  waits.send("p");
  REQUIRE(waits.receive_all(1) == std::vector{std::byte{'p'}});
  const Plain goes_on(serving.at());
  goes_on.send("pen");
  goes_on.send("cil and paper");
  goes_on.end();
  REQUIRE(goes_on.rest() == "pencil and paper");
  waits.end();
  REQUIRE(waits.rest().empty());
  REQUIRE(serving.finish().bytes_out == 7 + 1 + 16);
}

TEST_CASE("a preface in pieces is a preface", "[load]") {
  Serving serving({});
  const Plain client(serving.at());
  const auto preface = Preface{.purpose = Purpose::download, .bytes = 5}.encode();
  for (const std::byte& byte : preface) client.send({&byte, 1});
  REQUIRE(client.rest().size() == 5);
  client.end();
  REQUIRE(serving.finish().bytes_out == 5);
}

TEST_CASE("HTTP in any pieces, in order, until one says that it is the last", "[load]") {
  Serving serving({.kind = ServiceKind::http, .body_size = 3});
  const Plain client(serving.at());
  const std::string_view requests =
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET / \r\n"
      "HEAD / HTTP/1.1\r\n\r\n"
      "GET / HTTP/1.0\r\n\r\n";
  for (const char& c : requests) client.send(std::string_view(&c, 1));
  client.send("GET / HTTP/1.1\r\n\r\n");
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n";
  REQUIRE(client.rest() == head + "\r\nxxx" + head + "\r\nxxx" + head + "\r\n" + head +
                               "Connection: close\r\n\r\nxxx");
  client.end();
  REQUIRE(serving.finish().requests == 4);
}

TEST_CASE("what is no HTTP request is answered with 400, after those before it", "[load]") {
  const std::string_view garbage =
      GENERATE("GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "\r\n\r\n",
               "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
               "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  Serving serving({.kind = ServiceKind::http});
  const Plain client(serving.at());
  client.send("GET / HTTP/1.1\r\n\r\n");
  client.send(garbage);
  const std::string answers = client.rest();
  REQUIRE(answers.starts_with("HTTP/1.1 200 OK\r\n"));
  REQUIRE(answers.find("HTTP/1.1 400 Bad Request\r\n") != std::string::npos);
  REQUIRE(answers.ends_with("Content-Length: 0\r\nConnection: close\r\n\r\n"));
  client.end();
  const Served server = serving.finish();
  REQUIRE(server.requests == 1);
  REQUIRE(server.bad_requests == 1);
}

TEST_CASE("delays are those that were asked for, and the client measures them", "[load]") {
  using Kind = DelayOptions::Kind;
  const DelayOptions delay =
      GENERATE(DelayOptions{.kind = Kind::fixed, .usual = 5ms},
               DelayOptions{.kind = Kind::two_point, .usual = 1ms, .other = 20ms, .share = 0.1},
               DelayOptions{.kind = Kind::exponential, .usual = 3ms});
  Serving serving({.kind = ServiceKind::delay, .message_size = 100, .delay = delay});
  const CodecRr codec({.request_size = 100, .answer_size = 100});
  const auto client =
      exchange(serving.at(), {.codec = &codec, .connections = 20, .operations = 2000});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(server.requests == 2000);
  Histogram delays;
  serving.service().merge_delays_into(delays);
  REQUIRE(delays.count() == 2000);
  const Histogram& seen = client->histogram(Measure::service);
  REQUIRE(seen.count() == 2000);
  REQUIRE(seen.min() >= delays.min());
  REQUIRE(seen.mean() >= delays.mean());
  switch (delay.kind) {
    case Kind::fixed:
      REQUIRE(delays.min() >= 5ms);
      break;
    case Kind::two_point:
      REQUIRE(delays.min() >= 1ms);
      REQUIRE(delays.percentile(95) >= 20ms);
      REQUIRE(delays.percentile(5) < 20ms);
      break;
    case Kind::exponential:
      REQUIRE(delays.mean() > 2.7ms);
      REQUIRE(delays.percentile(50) > 1.8ms);
      break;
  }
}

TEST_CASE("messages that wait at once come back in order", "[load]") {
  Serving serving({.kind = ServiceKind::delay,
                   .message_size = 5000,
                   .delay = {.kind = DelayOptions::Kind::exponential, .usual = 1ms}});
  const CodecRr codec({.request_size = 5000, .answer_size = 5000});
  const auto client =
      exchange(serving.at(), {.codec = &codec, .connections = 4, .depth = 32, .operations = 2000});
  const Served server = serving.finish();
  require_clean(*client, server);
  REQUIRE(client->count.operations == 2000);
}

TEST_CASE("a flipped bit is found", "[load]") {
  Serving serving({.kind = ServiceKind::chaos, .chaos = {Chaos::flip}, .chaos_bytes = 100'000});
  const CodecRr codec({.request_size = 1000, .answer_size = 1000});
  const auto client =
      exchange(serving.at(), {.codec = &codec, .connections = 1, .operations = 200});
  REQUIRE(client->errors(ErrorClass::corrupt) >= 1);
  REQUIRE(client->errors() == client->errors(ErrorClass::corrupt));
  REQUIRE(client->count.corrupt_streams == client->errors());
  REQUIRE(client->count.operations + client->errors() == 200);
}

TEST_CASE("chaos of each kind is told by its class", "[load]") {
  struct Case {
    Chaos chaos;
    ErrorClass before;
    ErrorClass within;
  };
  const Case chosen =
      GENERATE(Case{Chaos::close, ErrorClass::ended_before, ErrorClass::reset_before},
               Case{Chaos::reset, ErrorClass::reset_before, ErrorClass::reset_within},
               Case{Chaos::stall, ErrorClass::timeout, ErrorClass::timeout},
               Case{Chaos::half_close, ErrorClass::ended_before, ErrorClass::ended_within});
  const std::uint64_t operations = chosen.chaos == Chaos::stall ? 10 : 200;
  Serving serving({.kind = ServiceKind::chaos, .chaos = {chosen.chaos}, .chaos_bytes = 4000},
                  nullptr, 200);
  const CodecRr codec({.request_size = 100, .answer_size = 100});
  const auto client = exchange(serving.at(), {.codec = &codec,
                                              .connections = 2,
                                              .one_each = chosen.chaos == Chaos::close,
                                              .operations = operations,
                                              .timeout = chosen.chaos == Chaos::stall ? 50ms : 10s,
                                              .redial_after = 1ms});
  REQUIRE(client->count.operations + client->errors() == operations);
  REQUIRE(client->errors() > 0);
  for (const ErrorInfo& error : all_errors()) {
    INFO(error.text);
    const bool expected = error.error == chosen.before || error.error == chosen.within;
    REQUIRE((expected || client->errors(error.error) == 0));
  }
  const Served server = serving.finish();
  REQUIRE(server.accepted == server.closed + server.lost);
}

TEST_CASE("garbage is not an answer", "[load]") {
  Serving serving({.kind = ServiceKind::chaos, .chaos = {Chaos::garbage}});
  const CodecHttp codec("GET / HTTP/1.1\r\n\r\n");
  const auto client = exchange(
      serving.at(), {.codec = &codec, .connections = 2, .operations = 20, .redial_after = 1ms});
  REQUIRE(client->count.operations == 0);
  REQUIRE(client->errors() == 20);  // what comes before it was asked for is no operation's
}

TEST_CASE("a client without a handshake is sent away in time", "[load]") {
  auto server_context = tls::test::make_server_context(tls::test::issue({}));
  Serving serving({.handshake_timeout = 50ms}, server_context.get());
  const Plain silent(serving.at());
  std::vector<std::byte> byte(1);
  REQUIRE(silent.receive(byte) < 0);
  const Plain wrong(serving.at());
  wrong.send("GET / HTTP/1.1\r\n\r\n");
  while (wrong.receive(byte) > 0) {
  }
  const Served server = serving.finish();
  REQUIRE(server.handshakes_failed == 2);
  REQUIRE(server.handshakes == 0);
}

TEST_CASE("what is under way is reset when the run is broken off", "[load]") {
  auto serving = std::make_unique<Serving>(ServiceOptions{});
  const Plain client(serving->at());
  client.send("a");
  REQUIRE(client.receive_all(1).size() == 1);
  serving.reset();
  std::vector<std::byte> byte(1);
  REQUIRE(client.receive(byte) < 0);
}

}  // namespace
}  // namespace penstock::load::test

// ClientHelloReader: what real clients ask for is found however the bytes come, and what lies about
// its lengths is refused with a reason.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>

#include "penstock/tls/client_hello.h"
#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

/// The first flight of OpenSSL's client: one record.
Bytes flight(const ClientOptions& options) {
  Client client(options);
  (void)client.handshake();
  return client.take();
}

Bytes number(std::size_t value, int bytes) {
  Bytes out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
  return out;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes part(int length_bytes, const Bytes& content) {
  return number(content.size(), length_bytes) + content;
}

Bytes record(const Bytes& content) { return number(22, 1) + number(0x0301, 2) + part(2, content); }

Bytes extension(std::size_t type, const Bytes& content) {
  return number(type, 2) + part(2, content);
}

Bytes host_name(std::string_view name) { return part(2, number(0, 1) + part(2, bytes_of(name))); }

/// A message with these extensions, and all else as it should be.
Bytes message(const Bytes& extensions) {
  const Bytes body = number(0x0303, 2) + Bytes(32) + part(1, {}) + part(2, number(0x1301, 2)) +
                     part(1, number(0, 1)) + part(2, extensions);
  return number(1, 1) + part(3, body);
}

/// The same message in records of at most `size` bytes of it.
Bytes in_records(const Bytes& whole, std::size_t size) {
  Bytes out;
  for (std::size_t at = 0; at < whole.size(); at += size) {
    const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        at + size < whole.size() ? begin + static_cast<std::ptrdiff_t>(size) : whole.end();
    out = out + record(Bytes(begin, end));
  }
  return out;
}

std::string problem_of(const Bytes& bytes) {
  ClientHelloReader reader;
  switch (reader.read(bytes)) {
    case ClientHelloReader::Status::incomplete:
      return "incomplete";
    case ClientHelloReader::Status::complete:
      return "complete";
    case ClientHelloReader::Status::not_tls:
      return "not TLS";
    case ClientHelloReader::Status::too_long:
      return "too long";
    case ClientHelloReader::Status::malformed:
      break;
  }
  return std::string(reader.problem());
}

TEST_CASE("what OpenSSL's clients ask for is found", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  ClientHelloReader reader;
  const ClientOptions asked{
      .version = version, .server_name = "WWW.Example.com", .alpn = "\x02h2\x08http/1.1"};
  REQUIRE(reader.read(flight(asked)) == ClientHelloReader::Status::complete);
  CHECK(reader.hello().server_name == "www.example.com");
  CHECK(reader.hello().protocols == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(reader.hello().version == version);

  ClientHelloReader plain;
  REQUIRE(plain.read(flight({.version = version})) == ClientHelloReader::Status::complete);
  CHECK(plain.hello().server_name.empty());
  CHECK(plain.hello().protocols.empty());
}

TEST_CASE("it may come in two pieces, cut anywhere", "[tls]") {
  const Bytes whole = flight({.server_name = "example.com", .alpn = "\x02h2"});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    ClientHelloReader reader;
    REQUIRE(reader.read(std::span(whole).first(cut)) == ClientHelloReader::Status::incomplete);
    REQUIRE(reader.read(std::span(whole).subspan(cut)) == ClientHelloReader::Status::complete);
    REQUIRE(reader.hello().server_name == "example.com");
    REQUIRE(reader.hello().protocols == std::vector<std::string>{"h2"});
  }
}

TEST_CASE("it may come in records of any size, byte by byte", "[tls]") {
  const Bytes whole = message(extension(0, host_name("example.com")) + extension(21, Bytes(2000)));
  for (const std::size_t size : {1U, 2U, 3U, 100U, 1999U}) {
    ClientHelloReader reader;
    const Bytes records = in_records(whole, size);
    for (std::size_t i = 0; i + 1 < records.size(); ++i)
      REQUIRE(reader.read(std::span(records).subspan(i, 1)) ==
              ClientHelloReader::Status::incomplete);
    REQUIRE(reader.read(std::span(records).last(1)) == ClientHelloReader::Status::complete);
    CHECK(reader.hello().server_name == "example.com");
  }
}

TEST_CASE("what is behind it is not looked at", "[tls]") {
  ClientHelloReader reader;
  REQUIRE(reader.read(flight({.server_name = "a.b"}) + bytes_of("early data")) ==
          ClientHelloReader::Status::complete);
  CHECK(reader.hello().server_name == "a.b");
}

TEST_CASE("what begins no TLS record is told apart from a bad one", "[tls]") {
  CHECK(problem_of(bytes_of("GET / HTTP/1.1\r\n")) == "not TLS");
  CHECK(problem_of(number(0x80, 1)) == "not TLS");
  CHECK(problem_of(number(22, 1) + number(0x0200, 2)) == "not TLS");
  CHECK(problem_of(number(21, 1) + number(0x0301, 2)) == "not TLS");  // an alert, first of all
}

TEST_CASE("a message that lies about its lengths is refused", "[tls]") {
  const auto problem = [](const Bytes& extensions) {
    return problem_of(record(message(extensions)));
  };
  CHECK(problem({}) == "complete");
  CHECK(problem(number(0, 1)) == "an extension is cut off");
  CHECK(problem(number(0, 2) + number(9, 2) + Bytes(8)) == "an extension is cut off");
  CHECK(problem(extension(7, {}) + extension(7, {})) == "an extension comes twice");
  CHECK(problem(extension(0, {})) == "the server name's list has a wrong length");
  CHECK(problem(extension(0, host_name("a") + Bytes(1))) ==
        "the server name's list has a wrong length");
  CHECK(problem(extension(0, part(2, number(1, 1) + part(2, bytes_of("a"))))) ==
        "the server name's list is no list");
  CHECK(problem(extension(0, part(2, number(0, 1) + part(2, bytes_of("a")) + number(0, 1) +
                                         part(2, bytes_of("b"))))) ==
        "the server name's list is no list");
  CHECK(problem(extension(0, host_name(""))) == "the server name has a wrong length");
  CHECK(problem(extension(0, host_name(std::string(256, 'a')))) ==
        "the server name has a wrong length");
  CHECK(problem(extension(0, host_name(std::string_view("a\0b", 3)))) ==
        "the server name is not printable ASCII");
  CHECK(problem(extension(16, part(2, {}))) == "the list of protocols has a wrong length");
  CHECK(problem(extension(16, part(2, number(0, 1)))) == "a protocol's name is empty or cut off");
  CHECK(problem(extension(16, part(2, number(9, 1) + bytes_of("h2")))) ==
        "a protocol's name is empty or cut off");
  CHECK(problem(extension(43, part(1, number(3, 1)))) == "a version is cut off");
}

TEST_CASE("records that cannot carry a ClientHello are refused", "[tls]") {
  const Bytes hello = message(extension(0, host_name("example.com")));
  CHECK(problem_of(record({})) == "a record is empty");
  CHECK(problem_of(number(22, 1) + number(0x0301, 2) + number(16385, 2)) ==
        "a record is longer than records can be");
  CHECK(problem_of(record(number(2, 1) + part(3, Bytes(40)))) == "it is another message");
  CHECK(problem_of(record(Bytes(hello.begin(), hello.begin() + 20)) + number(21, 1)) ==
        "another record comes in between");
}

TEST_CASE("one that is too long is refused as soon as that is known", "[tls]") {
  CHECK(problem_of(record(number(1, 1) + number(70'000, 3))) == "too long");
  const Bytes most = number(1, 1) + number(4000, 3) + Bytes(2727);
  const Bytes records = in_records(most, 1);  // the headers count, too
  CHECK(problem_of(records) == "too long");
}

}  // namespace
}  // namespace penstock::tls::test

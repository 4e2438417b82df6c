// Endpoint: what parses, how it is written back, and that each refusal says what is wrong and what
// to write instead.
#include <arpa/inet.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "penstock/net/endpoint.h"

namespace penstock {
namespace {

Endpoint parsed(std::string_view text) {
  const Result<Endpoint> endpoint = Endpoint::parse(text);
  INFO(text);
  REQUIRE(endpoint.has_value());
  return *endpoint;
}

TEST_CASE("an address is written back canonically", "[net]") {
  using Pair = std::pair<std::string, std::string>;
  const auto [text, canonical] =
      GENERATE(Pair("10.0.0.1:80", "10.0.0.1:80"), Pair("0.0.0.0:0", "0.0.0.0:0"),
               Pair("255.255.255.255:65535", "255.255.255.255:65535"),
               Pair("127.0.0.1:00080", "127.0.0.1:80"), Pair("[::1]:80", "[::1]:80"),
               Pair("[::]:0", "[::]:0"), Pair("[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443"),
               Pair("[2001:0db8::0001:0000]:443", "[2001:db8::1:0]:443"),
               Pair("unix:/run/app.sock", "unix:/run/app.sock"));
  CAPTURE(text);
  CHECK(parsed(text).to_string() == canonical);
  CHECK(parsed(canonical) == parsed(text));
}

TEST_CASE("an address that is no address is refused with the fault and the remedy", "[net]") {
  struct Case {
    std::string text;
    std::vector<std::string> said;
  };
  const Case test = GENERATE(
      Case{"", {"empty", "10.0.0.1:80"}}, Case{"localhost:80", {"\"localhost\"", "host name"}},
      Case{"app-1.internal:http", {"host name"}}, Case{"10.0.0.1", {"no port", "\"10.0.0.1:80\""}},
      Case{"10.0.0.1:", {"no port after the colon"}},
      Case{"10.0.0.1:http", {"\"http\"", "not a number"}}, Case{"10.0.0.1:-1", {"not a number"}},
      Case{"10.0.0.1:+80", {"not a number"}}, Case{"10.0.0.1:80 ", {"not a number"}},
      Case{"10.0.0.1:65536", {"65536", "65535"}}, Case{"10.0.0.1:99999999999999999999", {"65535"}},
      Case{"10.0.0.256:80", {"not an IPv4 address"}}, Case{"10.0.1:80", {"not an IPv4 address"}},
      Case{"10.0.0.01:80", {"not an IPv4 address", "leading zeros"}},
      Case{" 10.0.0.1:80", {"not an IPv4 address"}}, Case{":80", {"\"0.0.0.0:80\"", "\"[::]:80\""}},
      Case{"*:80", {"\"0.0.0.0:80\""}}, Case{"8080", {"only a number", "\"0.0.0.0:8080\""}},
      Case{"http://10.0.0.1:80", {"URL"}}, Case{"app", {"not an address", "10.0.0.1:80"}},
      Case{"::1:80", {"needs brackets", "\"[::1]:80\""}}, Case{"2001:db8::1", {"needs brackets"}},
      Case{"2001:db8::a", {"needs brackets and a port", "\"[2001:db8::a]:80\""}},
      Case{"a:b:c", {"not an address"}}, Case{"[::1", {"closing bracket"}},
      Case{"[::1]", {"no port", "\"[::1]:80\""}}, Case{"[::1]80", {"\"80\"", "colon"}},
      Case{"[::1]:", {"no port after the colon"}}, Case{"[::1]:65536", {"65535"}},
      Case{"[10.0.0.1]:80", {"not an IPv6 address"}}, Case{"[]:80", {"not an IPv6 address"}},
      Case{"[fe80::1%eth0]:80", {"scope id"}},
      Case{"[::ffff:10.0.0.1]:80", {"IPv4-mapped", "\"10.0.0.1:80\""}}, Case{"unix:", {"no path"}},
      Case{"unix:run/app.sock", {"relative", "absolute"}}, Case{"unix:@app", {"relative"}},
      Case{"/run/app.sock", {"\"unix:/run/app.sock\""}},
      Case{"unix:/" + std::string(107, 'x'), {"108 bytes", "at most 107"}},
      Case{"a\nb:80", {"\"a?b\""}});
  CAPTURE(test.text);
  const Result<Endpoint> endpoint = Endpoint::parse(test.text);
  REQUIRE_FALSE(endpoint.has_value());
  const std::string& message = endpoint.error().message;
  CAPTURE(message);
  for (const std::string& part : test.said) CHECK(message.find(part) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(endpoint.error().errno_value == 0);
}

TEST_CASE("a zero byte inside an address is refused", "[net]") {
  using namespace std::string_view_literals;
  CHECK_FALSE(Endpoint::parse("unix:/run/a\0b"sv).has_value());
  CHECK_FALSE(Endpoint::parse("10.0.0.1\0x:80"sv).has_value());
  CHECK_FALSE(Endpoint::parse("[::1\0x]:80"sv).has_value());
}

TEST_CASE("the longest unix path fits", "[net]") {
  const std::string path = "/" + std::string(106, 'x');
  const Endpoint endpoint = parsed("unix:" + path);
  CHECK(endpoint.path() == path);
  CHECK(endpoint.length() == sizeof(sockaddr_un));
}

TEST_CASE("the parts of an address", "[net]") {
  const Endpoint v4 = parsed("10.1.2.3:443");
  CHECK(v4.family() == AF_INET);
  CHECK(v4.is_ip());
  CHECK(v4.port() == 443);
  CHECK(v4.host() == "10.1.2.3");
  CHECK(v4.bare_host() == "10.1.2.3");
  CHECK(std::vector<int>(v4.address_bytes().begin(), v4.address_bytes().end()) ==
        std::vector{10, 1, 2, 3});

  const Endpoint v6 = parsed("[2001:db8::1]:443");
  CHECK(v6.family() == AF_INET6);
  CHECK(v6.host() == "[2001:db8::1]");
  CHECK(v6.bare_host() == "2001:db8::1");
  REQUIRE(v6.address_bytes().size() == 16);
  CHECK(v6.address_bytes()[0] == 0x20);
  CHECK(v6.address_bytes()[15] == 1);
  CHECK(v6.with_port(8443).to_string() == "[2001:db8::1]:8443");

  const Endpoint local = parsed("unix:/run/app.sock");
  CHECK(local.is_unix());
  CHECK(local.port() == 0);
  CHECK(local.path() == "/run/app.sock");
  CHECK(local.host() == "unix:/run/app.sock");
  CHECK(local.address_bytes().empty());
  CHECK(local.with_port(80) == local);

  CHECK(Endpoint().family() == AF_UNSPEC);
  CHECK(Endpoint().to_string() == "unspecified");
}

TEST_CASE("only an IP address of zeros is every address", "[net]") {
  CHECK(parsed("0.0.0.0:80").is_any_address());
  CHECK(parsed("[::]:80").is_any_address());
  CHECK_FALSE(parsed("127.0.0.1:80").is_any_address());
  CHECK_FALSE(parsed("[::1]:80").is_any_address());
  CHECK_FALSE(parsed("unix:/a").is_any_address());
  CHECK_FALSE(Endpoint().is_any_address());
}

TEST_CASE("addresses are equal when all of their parts are", "[net]") {
  CHECK(parsed("10.0.0.1:80") == parsed("10.0.0.1:80"));
  CHECK_FALSE(parsed("10.0.0.1:80") == parsed("10.0.0.1:81"));
  CHECK_FALSE(parsed("10.0.0.1:80") == parsed("10.0.0.2:80"));
  CHECK_FALSE(parsed("0.0.0.0:80") == parsed("[::]:80"));
  CHECK_FALSE(parsed("unix:/a") == parsed("unix:/b"));
  CHECK_FALSE(parsed("10.0.0.1:80") == Endpoint());
  CHECK(Endpoint() == Endpoint());
}

TEST_CASE("an IPv4-mapped client becomes an IPv4 endpoint", "[net]") {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(4000);
  REQUIRE(::inet_pton(AF_INET6, "::ffff:192.0.2.7", &address.sin6_addr) == 1);
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  CHECK(Endpoint::from(any, sizeof address) == parsed("192.0.2.7:4000"));
}

TEST_CASE("what the kernel fills in for unix sockets becomes a path or none", "[net]") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  const Endpoint nameless = Endpoint::from(any, sizeof(sa_family_t));
  CHECK(nameless.is_unix());
  CHECK(nameless.path().empty());

  std::memcpy(address.sun_path, "\0abstract", 9);
  CHECK(Endpoint::from(any, offsetof(sockaddr_un, sun_path) + 9).path().empty());

  std::memcpy(address.sun_path, "/run/a", 6);
  CHECK(Endpoint::from(any, offsetof(sockaddr_un, sun_path) + 6) == parsed("unix:/run/a"));
  CHECK(Endpoint::from(nullptr, 0).family() == AF_UNSPEC);
}

}  // namespace
}  // namespace penstock

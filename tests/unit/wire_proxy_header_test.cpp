// Headers of the PROXY protocol, byte by byte as its specification has them.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "penstock/wire/proxy_header.h"

namespace penstock::wire {
namespace {

std::string header(ProxyVersion version, std::string_view source, std::string_view destination) {
  return proxy_header(version, Endpoint::parse(source).value(),
                      Endpoint::parse(destination).value());
}

TEST_CASE("version 1 of the PROXY protocol is a line", "[wire]") {
  CHECK(header(ProxyVersion::v1, "192.0.2.1:56324", "198.51.100.2:443") ==
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
  CHECK(header(ProxyVersion::v1, "[2001:db8::1]:1", "[2001:db8::2]:65535") ==
        "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
}

TEST_CASE("version 2 of the PROXY protocol is a signature and the addresses", "[wire]") {
  using namespace std::string_literals;
  CHECK(header(ProxyVersion::v2, "192.0.2.1:258", "198.51.100.2:443") ==
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x01\x02\x01\xbb"s);
  const std::string v6 = header(ProxyVersion::v2, "[2001:db8::1]:1", "[2001:db8::2]:2");
  CHECK(v6.size() == 52);
  CHECK(v6.substr(12, 8) == "\x21\x21\0\x24\x20\x01\x0d\xb8"s);
  CHECK(v6.substr(47) == "\x02\0\x01\0\x02"s);
  CHECK(v6.substr(31, 1) == "\x01"s);
}

}  // namespace
}  // namespace penstock::wire

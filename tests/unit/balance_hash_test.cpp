// The hash and the bytes that it is taken of: known values, and what counts as the same client.
#include <arpa/inet.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "penstock/balance/hash.h"

namespace penstock::balance {
namespace {

constexpr std::uint64_t any_number = 42;

Endpoint address(std::string_view text) {
  const Result<Endpoint> endpoint = Endpoint::parse(text);
  REQUIRE(endpoint.has_value());
  return *endpoint;
}

std::uint64_t key(std::string_view text, HashKey kind, std::uint64_t seed = 0) {
  return key_of(address(text), kind, any_number, seed).hash;
}

std::uint64_t hash_of(const std::vector<std::uint8_t>& bytes, std::uint64_t seed = 0) {
  return hash_bytes(bytes, seed);
}

TEST_CASE("the hash is XXH3-64", "[balance]") {
  // Source: xxHash's own sanity check (cli/xsum_sanity_check.c), of 0 and 1 bytes of its buffer,
  // which begins with 0.
  constexpr std::uint64_t seed = 0x9E3779B185EBCA8D;
  CHECK(hash_text("", 0) == 0x2D06800538D394C2);
  CHECK(hash_text("", seed) == 0xA8A6B918B2F0364A);
  CHECK(hash_of({0}) == 0xC44BDFF4074EECDB);
  CHECK(hash_of({0}, seed) == 0x032BE332DD766EF8);
  CHECK(hash_text("abc", 5) == hash_of({'a', 'b', 'c'}, 5));
}

TEST_CASE("the key of an IP client is its address, and its port big-endian when asked",
          "[balance]") {
  CHECK(key("10.1.2.3:258", HashKey::source_ip) == hash_of({10, 1, 2, 3}));
  CHECK(key("10.1.2.3:258", HashKey::source_ip_port) == hash_of({10, 1, 2, 3, 1, 2}));
  const std::vector<std::uint8_t> v6{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  CHECK(key("[2001:db8::9]:65535", HashKey::source_ip) == hash_of(v6));
  std::vector<std::uint8_t> v6_port = v6;
  v6_port.insert(v6_port.end(), {0xff, 0xfe});
  CHECK(key("[2001:db8::9]:65534", HashKey::source_ip_port) == hash_of(v6_port));
}

TEST_CASE("the seed changes every key", "[balance]") {
  CHECK(key("10.1.2.3:1", HashKey::source_ip, 1) == hash_of({10, 1, 2, 3}, 1));
  CHECK(key("10.1.2.3:1", HashKey::source_ip, 1) != key("10.1.2.3:1", HashKey::source_ip, 2));
}

TEST_CASE("an IPv4-mapped client has the key of its IPv4 address", "[balance]") {
  sockaddr_in6 mapped{};
  mapped.sin6_family = AF_INET6;
  mapped.sin6_port = htons(7);
  REQUIRE(::inet_pton(AF_INET6, "::ffff:10.1.2.3", &mapped.sin6_addr) == 1);
  const Endpoint client = Endpoint::from(reinterpret_cast<const sockaddr*>(&mapped), sizeof mapped);
  CHECK(key_of(client, HashKey::source_ip_port, any_number, 0).hash ==
        key("10.1.2.3:7", HashKey::source_ip_port));
}

TEST_CASE("the key of a unix client is the number of its connection", "[balance]") {
  const Endpoint client = address("unix:/run/app.sock");
  const auto numbered = [&](std::uint64_t number) {
    return key_of(client, HashKey::source_ip, number, 0).hash;
  };
  CHECK(numbered(0x0102) == hash_of({0, 0, 0, 0, 0, 0, 1, 2}));
  CHECK(numbered(1) != numbered(2));
  CHECK(numbered(1) == key_of(client, HashKey::source_ip_port, 1, 0).hash);
}

}  // namespace
}  // namespace penstock::balance

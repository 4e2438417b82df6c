// XXH3-64 through libxxhash. What the keys are made of is a contract: machines that disagree about
// it send a client to different backends.
#include "penstock/balance/hash.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace penstock::balance {

std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

Key key_of(const Endpoint& client, HashKey kind, std::uint64_t connection_number,
           std::uint64_t seed) noexcept {
  std::array<std::uint8_t, 18> bytes{};
  std::size_t size = 0;
  if (client.is_ip()) {
    const std::span<const std::uint8_t> address = client.address_bytes();
    std::ranges::copy(address, bytes.begin());
    size = address.size();
    if (kind == HashKey::source_ip_port) {
      bytes[size++] = static_cast<std::uint8_t>(client.port() >> 8);
      bytes[size++] = static_cast<std::uint8_t>(client.port() & 0xff);
    }
  } else {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes[size++] = static_cast<std::uint8_t>(connection_number >> shift);
    }
  }
  return {hash_bytes(std::span(bytes).first(size), seed)};
}

}  // namespace penstock::balance

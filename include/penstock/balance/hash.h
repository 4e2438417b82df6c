// The hash behind every choice of a backend: XXH3-64 with the process's seed, so that all machines
// and runs agree. Key bytes: the 4 or 16 address bytes, then the port big-endian if asked;
// IPv4-mapped clients count as IPv4 (Endpoint has already unmapped them).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "penstock/net/endpoint.h"

namespace penstock::balance {

enum class HashKey : std::uint8_t { source_ip, source_ip_port };

/// A client's position in the hash space.
struct Key {
  std::uint64_t hash = 0;
};

[[nodiscard]] std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes,
                                       std::uint64_t seed) noexcept;
[[nodiscard]] std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept;

/// The key of a client. `connection_number` is the key of clients of unix sockets, which have no
/// address.
[[nodiscard]] Key key_of(const Endpoint& client, HashKey kind, std::uint64_t connection_number,
                         std::uint64_t seed) noexcept;

}  // namespace penstock::balance

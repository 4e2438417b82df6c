// The header of the PROXY protocol, by which who passes a connection on says whose it is. Pure.
// Source: haproxy.org, proxy-protocol.txt, sections 2.1 and 2.2.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/net/endpoint.h"

namespace penstock::wire {

enum class ProxyVersion : std::uint8_t { v1, v2 };

/// What is sent before the connection's first byte. Both ends are of one family, IPv4 or IPv6.
[[nodiscard]] std::string proxy_header(ProxyVersion version, const Endpoint& source,
                                       const Endpoint& destination);

}  // namespace penstock::wire

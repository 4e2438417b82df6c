// HandshakeFault: why a handshake failed, in a few words that can be counted. The engine's
// failure() says it at length.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::tls {

// name, phrase
#define PENSTOCK_HANDSHAKE_FAULTS(X)                                          \
  X(not_tls, "it spoke something else, HTTP for example")                     \
  X(version, "no version of TLS in common")                                   \
  X(algorithms, "no cipher, group or kind of signature in common")            \
  X(protocol, "no ALPN protocol in common")                                   \
  X(name, "a name that strict_sni does not let in, or two different ones")    \
  X(certificate_missing, "it showed no certificate where one is required")    \
  X(certificate_refused, "its certificate did not pass")                      \
  X(alert, "it sent an alert: it did not trust the certificate, for example") \
  X(malformed, "what it sent broke the rules")                                \
  X(timeout, "it took longer than handshake_timeout")

enum class HandshakeFault : std::uint8_t {
#define PENSTOCK_X(name, phrase) name,
  PENSTOCK_HANDSHAKE_FAULTS(PENSTOCK_X)
#undef PENSTOCK_X
};

struct HandshakeFaultInfo {
  HandshakeFault fault;
  std::string_view name;
  std::string_view phrase;
};

inline constexpr std::array handshake_faults = {
#define PENSTOCK_X(name, phrase) HandshakeFaultInfo{HandshakeFault::name, #name, phrase},
    PENSTOCK_HANDSHAKE_FAULTS(PENSTOCK_X)
#undef PENSTOCK_X
};

/// "certificate expired" for 45 (RFC 8446, 6).
[[nodiscard]] std::string_view alert_name(std::uint8_t number) noexcept;

}  // namespace penstock::tls

// CloseReason: why a session ended. One per session, set in one place, counted and logged. The two
// letters are HAProxy's termination codes (configuration manual, section 8.5), so that dashboards
// and habits carry over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::stats {

// name, HAProxy's letters, phrase
#define PENSTOCK_CLOSE_REASONS(X)                                                       \
  X(finished, "--", "both sides ended their stream")                                    \
  X(client_reset, "CD", "the client reset the connection")                              \
  X(backend_reset, "SD", "the backend reset the connection")                            \
  X(client_truncated, "CD", "the client ended a TLS stream without close_notify")       \
  X(client_gone, "CR", "the client went away before it was connected to a backend")     \
  X(handshake_timeout, "cR", "the TLS handshake did not finish in time")                \
  X(handshake_failed, "PR", "the client did not speak TLS that the listener accepts")   \
  X(no_route, "PR", "the client asked for a name or protocol that no route has")        \
  X(tls_error, "PD", "the client sent a TLS record that does not decrypt")              \
  X(no_backend, "SC", "no living backend in the pool")                                  \
  X(connect_refused, "SC", "the last backend tried refused or reset the connection")    \
  X(connect_unreachable, "SC", "the last backend tried was unreachable")                \
  X(connect_timeout, "sC", "the last backend tried did not answer in time")             \
  X(backend_handshake_failed, "SC",                                                     \
    "the last backend tried did not shake hands, or is not who it should be")           \
  X(connect_failed, "RC",                                                               \
    "no connection could be opened from here (ports, descriptors or memory used up)")   \
  X(backend_truncated, "SD", "the backend ended a TLS stream without close_notify")     \
  X(backend_tls_error, "SD", "the backend sent a TLS record that does not decrypt")     \
  X(client_timeout, "cD", "the client acknowledged or read nothing for user_timeout")   \
  X(backend_timeout, "sD", "the backend acknowledged or read nothing for user_timeout") \
  X(idle_timeout, "cD", "no byte either way for idle_timeout")                          \
  X(overload, "RQ", "no room for the connection")                                       \
  X(shutdown, "KD", "cut at the end of shutdown_timeout or by a second signal")         \
  X(internal_error, "ID", "memory or the kernel failed")

enum class CloseReason : std::uint8_t {
#define PENSTOCK_X(name, letters, phrase) name,
  PENSTOCK_CLOSE_REASONS(PENSTOCK_X)
#undef PENSTOCK_X
};

struct CloseReasonInfo {
  CloseReason reason;
  std::string_view name;
  std::string_view letters;
  std::string_view phrase;
};

inline constexpr std::array close_reasons = {
#define PENSTOCK_X(name, letters, phrase) \
  CloseReasonInfo{CloseReason::name, #name, letters, phrase},
    PENSTOCK_CLOSE_REASONS(PENSTOCK_X)
#undef PENSTOCK_X
};
inline constexpr std::size_t close_reason_count = close_reasons.size();

[[nodiscard]] constexpr const CloseReasonInfo& info(CloseReason reason) noexcept {
  return close_reasons[static_cast<std::size_t>(reason)];
}

}  // namespace penstock::stats

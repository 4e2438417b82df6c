// Outcome: what one probe found, and the words for it. The words are the evidence that an operator
// reads when a backend goes down ("app/big down: connect refused, 3 of 3"), so they name the cause
// as a person would. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/time/instant.h"

namespace penstock::health {

enum class Cause : std::uint8_t {
  connected,  ///< the backend took a connection, all that a tcp check asks for
  status,     ///< an HTTP answer; Outcome::passed says whether its status was expected
  refused,
  connect_timed_out,
  unreachable,
  no_answer,  ///< connected, but no status line in time
  reset,
  closed_early,  ///< the backend ended its stream before a whole status line
  not_http,
  tls_failed,    ///< no handshake, or not who it should be; Outcome::detail says why
  own_shortage,  ///< this process could not make the probe: nothing is known about the backend
};

struct Outcome {
  Cause cause = Cause::no_answer;
  bool passed = false;
  int status = 0;        ///< of Cause::status
  int errno_value = 0;   ///< where the kernel was the cause
  Duration elapsed{};    ///< since the probe began
  std::string detail{};  ///< of Cause::tls_failed, for example "unsupported protocol"
};

/// Whether the outcome says anything about the backend.
[[nodiscard]] constexpr bool counts(const Outcome& outcome) noexcept {
  return outcome.cause != Cause::own_shortage;
}

/// What a failed connect means. `result`: negative, -errno.
[[nodiscard]] Outcome connect_failure(int result) noexcept;
/// What a failed send or receive on a connected socket means. `result`: negative, -errno.
[[nodiscard]] Outcome exchange_failure(int result) noexcept;

/// The outcome in words: "connect refused", "status 200 in 3 ms", "no answer within 1s".
[[nodiscard]] std::string evidence(const Outcome& outcome);

/// The log line of a change: "app/big down: connect refused, 3 of 3".
struct Change {
  std::string_view pool;
  std::string_view backend;
  bool up = false;
  int probes = 0;  ///< in a row that it took
};
[[nodiscard]] std::string describe(const Change& change, const Outcome& outcome);

}  // namespace penstock::health

// The two texts of an HTTP check: the request, and as much of the answer as a check needs to
// understand, its status line. Pure. Deliberately not an HTTP client: headers and body are never
// looked at. Source: RFC 9112, sections 3.2 (Host), 4 (status line), 2.2 (a bare LF ends a line
// too); RFC 9110, section 15.2 (1xx).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/config/config.h"
#include "penstock/net/endpoint.h"

namespace penstock::health {

/// The request of a check. Without a configured host the Host header is the backend's address and
/// port, "localhost" for a unix backend.
[[nodiscard]] std::string http_request(const config::Health& health, const Endpoint& backend);

/// True when `status` is in one of the ranges that the check expects.
[[nodiscard]] bool expected(const config::Health& health, int status) noexcept;

/// An answer whose status line has not ended after so many bytes is no answer.
inline constexpr std::size_t answer_limit = 4096;

struct StatusLine {
  enum class State : std::uint8_t { incomplete, malformed, complete };
  State state = State::incomplete;
  int status = 0;  ///< 100 … 999 when complete
};

/// Looks for the final status line in what a backend has answered so far; interim answers (1xx, but
/// for 101) are skipped. Malformed as soon as the bytes cannot become "HTTP/1.x NNN" any more, or
/// at answer_limit bytes without an end.
[[nodiscard]] StatusLine parse_status_line(std::string_view answer) noexcept;

}  // namespace penstock::health

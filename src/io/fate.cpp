// errno, interpreted once. Unknown values count as a reset: the connection is of no use any more,
// the process is.
#include "penstock/io/fate.h"

#include <cerrno>

namespace penstock::io {

Fate fate_of(int result) noexcept {
  switch (-result) {
    case EINTR:     // a signal came first
    case EALREADY:  // a cancel that found the request running
    case EAGAIN:  // a spurious wake-up; for connect_now() its caller knows that the backlog is full
      return Fate::again;
    case ENOBUFS:  // receives: the buffer ring was empty
      return Fate::no_buffer;
    case ECANCELED:
      return Fate::cancelled;
    case ECONNREFUSED:  // RST to our SYN
    case ENOENT:        // unix: no such socket file
      return Fate::refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT:  // IPv6 is switched off here
    case EACCES:        // a local firewall rule, or a unix socket file that we may not write to
    case EPERM:
      return Fate::unreachable;
    case ETIMEDOUT:  // SYN retries, TCP_USER_TIMEOUT or keepalive ran out
      return Fate::timed_out;
    case EADDRNOTAVAIL:  // no free local port
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Fate::exhausted;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    default:
      return Fate::reset;
  }
}

bool left_queue(int result) noexcept {
  return result == -ECONNABORTED || result == -EPROTO || result == -EINTR;
}

}  // namespace penstock::io

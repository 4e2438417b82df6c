// The meaning of a failed operation for a health check, and the words for every outcome. What an
// errno means for a connection is decided in io; what that means for a backend, here.
#include "penstock/health/outcome.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>

#include "penstock/base/result.h"
#include "penstock/config/values.h"
#include "penstock/io/fate.h"

namespace penstock::health {
namespace {

// A measured time: whole milliseconds, and never a 0 that looks like a clock which does not run.
std::string elapsed_text(Duration elapsed) {
  const auto ms = std::chrono::round<std::chrono::milliseconds>(elapsed).count();
  return ms < 1 ? std::string("<1 ms") : fmt::format("{} ms", ms);
}

// What the word leaves out: a missing unix socket file is as good as a refusal, but another thing
// to repair.
std::string detail(int errno_value) {
  switch (errno_value) {
    case 0:
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return {};
    case EAGAIN:
      return " (backlog full)";
    default:
      return fmt::format(" ({})", errno_text(errno_value));
  }
}

Outcome with_errno(Cause cause, int errno_value) noexcept {
  Outcome outcome;
  outcome.cause = cause;
  outcome.errno_value = errno_value;
  return outcome;
}

}  // namespace

Outcome connect_failure(int result) noexcept {
  // Only the direct connect of a unix socket: its backlog is full.
  if (result == -EAGAIN) return with_errno(Cause::refused, EAGAIN);
  switch (io::fate_of(result)) {
    case io::Fate::refused:
      return with_errno(Cause::refused, -result);
    case io::Fate::unreachable:
      return with_errno(Cause::unreachable, -result);
    case io::Fate::timed_out:
      return with_errno(Cause::connect_timed_out, -result);
    case io::Fate::exhausted:
    case io::Fate::no_buffer:  // of a connect: the kernel has no memory for the packet
    case io::Fate::again:      // a signal came first; the connection's state is not known
    case io::Fate::cancelled:
      return with_errno(Cause::own_shortage, -result);
    case io::Fate::reset:
      break;
  }
  return with_errno(Cause::reset, -result);
}

Outcome exchange_failure(int result) noexcept {
  switch (io::fate_of(result)) {
    case io::Fate::unreachable:
      return with_errno(Cause::unreachable, -result);
    case io::Fate::timed_out:
      return with_errno(Cause::no_answer, -result);
    case io::Fate::exhausted:
    case io::Fate::no_buffer:
    case io::Fate::cancelled:
      return with_errno(Cause::own_shortage, -result);
    default:
      break;
  }
  return with_errno(Cause::reset, -result);
}

std::string evidence(const Outcome& outcome) {
  switch (outcome.cause) {
    case Cause::connected:
      return fmt::format("connected in {}", elapsed_text(outcome.elapsed));
    case Cause::status:
      return outcome.passed
                 ? fmt::format("status {} in {}", outcome.status, elapsed_text(outcome.elapsed))
                 : fmt::format("status {}", outcome.status);
    case Cause::refused:
      return "connect refused" + detail(outcome.errno_value);
    case Cause::connect_timed_out:
      return fmt::format("connect timed out after {}", config::duration_text(outcome.elapsed));
    case Cause::unreachable:
      return "unreachable" + detail(outcome.errno_value);
    case Cause::no_answer:
      return fmt::format("no answer within {}", config::duration_text(outcome.elapsed));
    case Cause::reset:
      return "connection reset";
    case Cause::closed_early:
      return "closed before a status line";
    case Cause::not_http:
      return "answer is not HTTP";
    case Cause::tls_failed:
      return "TLS failed: " + outcome.detail;
    case Cause::own_shortage:
      return fmt::format("cannot open a socket: {}", errno_text(outcome.errno_value));
  }
  return {};
}

std::string describe(const Change& change, const Outcome& outcome) {
  return fmt::format("{}/{} {}: {}, {} of {}", change.pool, change.backend,
                     change.up ? "up" : "down", evidence(outcome), change.probes, change.probes);
}

}  // namespace penstock::health

// By how far the connection had come, then by cause.
#include "failure_class.h"

#include <cerrno>

#include "penstock/base/result.h"

namespace penstock::load {

ErrorClass classify(const Failure& failure, bool within) noexcept {
  using Cause = Failure::Cause;
  switch (failure.phase) {
    case Phase::connect:
      if (failure.cause == Cause::timed_out || failure.errno_value == ETIMEDOUT)
        return ErrorClass::connect_timeout;
      if (failure.errno_value == ECONNREFUSED) return ErrorClass::connect_refused;
      if (failure.errno_value == EADDRNOTAVAIL) return ErrorClass::no_local_port;
      if (failure.errno_value == EMFILE || failure.errno_value == ENFILE)
        return ErrorClass::no_descriptor;
      return ErrorClass::connect_failed;
    case Phase::handshake:
      return failure.cause == Cause::timed_out ? ErrorClass::handshake_timeout
                                               : ErrorClass::handshake_failed;
    case Phase::stream:
      break;
  }
  switch (failure.cause) {
    case Cause::system:
      return within ? ErrorClass::reset_within : ErrorClass::reset_before;
    case Cause::ended:
      return within ? ErrorClass::ended_within : ErrorClass::ended_before;
    case Cause::protocol:
      return ErrorClass::tls_error;
    case Cause::timed_out:
      break;
  }
  return ErrorClass::timeout;
}

std::string reason_of(const Failure& failure) {
  if (!failure.text.empty()) return failure.text;
  return failure.errno_value != 0 ? errno_text(failure.errno_value) : "the target is silent";
}

}  // namespace penstock::load

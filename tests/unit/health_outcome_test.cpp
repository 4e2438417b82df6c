// The evidence that operators read, word for word, and which outcomes say nothing about a backend.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "penstock/health/outcome.h"

namespace penstock::health {
namespace {

TEST_CASE("a change is told with its evidence and the number of probes it took", "[health]") {
  CHECK(describe({.pool = "app", .backend = "big", .up = false, .probes = 3},
                 connect_failure(-ECONNREFUSED)) == "app/big down: connect refused, 3 of 3");
  CHECK(describe({.pool = "app", .backend = "big", .up = true, .probes = 2},
                 {.cause = Cause::status, .passed = true, .status = 200, .elapsed = 3ms}) ==
        "app/big up: status 200 in 3 ms, 2 of 2");
}

TEST_CASE("every cause has its words", "[health]") {
  CHECK(evidence({.cause = Cause::connected, .passed = true, .elapsed = 1400us}) ==
        "connected in 1 ms");
  CHECK(evidence({.cause = Cause::connected, .passed = true, .elapsed = 90us}) ==
        "connected in <1 ms");
  CHECK(evidence({.cause = Cause::status, .status = 503, .elapsed = 3ms}) == "status 503");
  CHECK(evidence({.cause = Cause::connect_timed_out, .elapsed = 1s}) ==
        "connect timed out after 1s");
  CHECK(evidence({.cause = Cause::no_answer, .elapsed = 1s}) == "no answer within 1s");
  CHECK(evidence({.cause = Cause::no_answer, .elapsed = 1500ms}) == "no answer within 1500ms");
  CHECK(evidence({.cause = Cause::no_answer, .elapsed = 2min}) == "no answer within 2m");
  CHECK(evidence({.cause = Cause::closed_early}) == "closed before a status line");
  CHECK(evidence({.cause = Cause::not_http}) == "answer is not HTTP");
  CHECK(evidence({.cause = Cause::own_shortage, .errno_value = EMFILE}) ==
        "cannot open a socket: Too many open files");
}

TEST_CASE("a failed connect is told by its errno", "[health]") {
  CHECK(evidence(connect_failure(-EHOSTUNREACH)) == "unreachable");
  CHECK(evidence(connect_failure(-ENETUNREACH)) == "unreachable");
  CHECK(evidence(connect_failure(-EACCES)) == "unreachable (Permission denied)");
  CHECK(evidence(connect_failure(-ENOENT)) == "connect refused (No such file or directory)");
  CHECK(evidence(connect_failure(-EAGAIN)) == "connect refused (backlog full)");
  CHECK(evidence(connect_failure(-ECONNRESET)) == "connection reset");
  CHECK(connect_failure(-ETIMEDOUT).cause == Cause::connect_timed_out);
}

TEST_CASE("a failed exchange is told by its errno", "[health]") {
  CHECK(evidence(exchange_failure(-ECONNRESET)) == "connection reset");
  CHECK(evidence(exchange_failure(-EPIPE)) == "connection reset");
  CHECK(exchange_failure(-ETIMEDOUT).cause == Cause::no_answer);
  CHECK(evidence(exchange_failure(-EHOSTUNREACH)) == "unreachable");
}

TEST_CASE("shortages of our own say nothing about the backend", "[health]") {
  for (const int errno_value : {EADDRNOTAVAIL, EMFILE, ENFILE, ENOMEM, ENOBUFS}) {
    CAPTURE(errno_value);
    CHECK_FALSE(counts(connect_failure(-errno_value)));
    CHECK_FALSE(connect_failure(-errno_value).passed);
  }
  CHECK_FALSE(counts(exchange_failure(-ENOBUFS)));
  CHECK(counts(connect_failure(-ECONNREFUSED)));
  CHECK(counts(exchange_failure(-ECONNRESET)));
}

}  // namespace
}  // namespace penstock::health

// What a Service does with its connections, and what it counts. The options are the command line's;
// the counters are written by the service's worker only and may be read by any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "penstock/stats/counters.h"
#include "penstock/time/instant.h"

namespace penstock::load {

enum class ServiceKind : std::uint8_t {
  echo,    ///< sends back what comes; what a Preface says, when one comes first
  sink,    ///< reads
  source,  ///< sends the pattern of answer_key(0) for as long as it is read
  http,    ///< answers HTTP/1.1 requests
  delay,   ///< echoes messages of one size, each after a while
  chaos,   ///< breaks off, falls silent, sends what is wrong
};

/// How long an answer takes.
struct DelayOptions {
  enum class Kind : std::uint8_t { fixed, two_point, exponential };
  Kind kind = Kind::fixed;
  Duration usual{};  ///< of all; exponential: the mean
  Duration other{};  ///< two_point: of some
  double share = 0;  ///< two_point: of those that take `other`, 0 to 1
};

/// What a connection of ServiceKind::chaos may meet with; `n` is drawn below chaos_bytes.
enum class Chaos : std::uint8_t {
  close,       ///< closed at once
  reset,       ///< reset once n bytes have come
  garbage,     ///< n bytes that nobody asked for, then the end of the stream
  stall,       ///< nothing is read or sent
  flip,        ///< an echo with one bit wrong after n bytes
  half_close,  ///< an echo that ends its stream after n bytes and reads on
};

struct ServiceOptions {
  ServiceKind kind = ServiceKind::echo;
  std::uint64_t body_size = 0;      ///< http: of an answer
  std::uint32_t message_size = 64;  ///< delay: 1 to largest_message
  DelayOptions delay{};
  std::vector<Chaos> chaos{};  ///< one is drawn from these; empty: from all
  std::uint64_t chaos_bytes = 65536;
  std::uint64_t seed = 1;  ///< of what is drawn
  Duration handshake_timeout = 10s;
  Duration linger = 60s;  ///< for a peer that does not end its stream when we have ours
};
inline constexpr std::uint32_t largest_message = 16384;

// name, what an operator reads
#define PENSTOCK_LOAD_SERVED(X)                                        \
  X(accepted, "connections accepted")                                  \
  X(closed, "connections closed in order")                             \
  X(lost, "connections reset or broken off, by either side")           \
  X(refused, "connections reset for lack of places or memory")         \
  X(accept_errors, "accepts that failed")                              \
  X(handshakes, "TLS handshakes")                                      \
  X(handshakes_failed, "TLS handshakes that failed")                   \
  X(bytes_in, "bytes received")                                        \
  X(bytes_out, "bytes sent")                                           \
  X(requests, "requests received whole")                               \
  X(bad_requests, "requests that could not be understood")             \
  X(verified, "bytes received and found right")                        \
  X(wrong_streams, "streams with a wrong byte")                        \
  X(resets, "connections reset by the peer")                           \
  X(truncated, "TLS streams without an end")                           \
  X(tls_errors, "TLS streams that broke off")                          \
  X(lingered, "connections whose peer did not end its stream in time") \
  X(abandoned, "connections reset at the end of the run")

/// A copy. In the end, accepted is closed and lost together. Bytes are those of the streams,
/// without TLS. Once nothing is under way any more, all of it is exact.
struct Served {
#define PENSTOCK_X(name, text) std::uint64_t name = 0;
  PENSTOCK_LOAD_SERVED(PENSTOCK_X)
#undef PENSTOCK_X

  void add(const Served& other) noexcept {
#define PENSTOCK_X(name, text) name += other.name;
    PENSTOCK_LOAD_SERVED(PENSTOCK_X)
#undef PENSTOCK_X
  }
};

struct alignas(64) ServiceCounters {
#define PENSTOCK_X(name, text) stats::Counter name;
  PENSTOCK_LOAD_SERVED(PENSTOCK_X)
#undef PENSTOCK_X

  /// From any thread.
  [[nodiscard]] Served read() const noexcept {
    Served copy;
#define PENSTOCK_X(name, text) (copy.name) = (name).get();
    PENSTOCK_LOAD_SERVED(PENSTOCK_X)
#undef PENSTOCK_X
    return copy;
  }
};

}  // namespace penstock::load

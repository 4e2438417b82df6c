// Recorder: what was measured in a span of time, by one worker or by several together. Merging is
// exact, so intervals add up to the whole.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "penstock/load/histogram.h"

namespace penstock::load {

// name, what an operator reads. An operation that failed is counted in exactly one of them, and
// nothing else is: operations, errors and unsent are what was to be done.
#define PENSTOCK_LOAD_ERRORS(X)                                      \
  X(connect_refused, "connection refused")                           \
  X(connect_timeout, "no connection in time")                        \
  X(connect_failed, "connect failed")                                \
  X(no_local_port, "no free local port (use more source addresses)") \
  X(no_descriptor, "no free descriptor")                             \
  X(handshake_failed, "TLS handshake failed")                        \
  X(handshake_timeout, "no TLS handshake in time")                   \
  X(reset_before, "reset before any byte of the answer")             \
  X(reset_within, "reset within the answer")                         \
  X(ended_before, "ended before any byte of the answer")             \
  X(ended_within, "ended within the answer")                         \
  X(tls_error, "TLS broke off")                                      \
  X(timeout, "no answer in time")                                    \
  X(timeout_within, "the answer stopped in the middle")              \
  X(dropped, "behind one that failed, on its connection")            \
  X(corrupt, "wrong bytes")                                          \
  X(bad_response, "not an answer of this protocol")                  \
  X(http_status, "HTTP status 400 or above")                         \
  X(unfinished, "not answered when the run ended")

enum class ErrorClass : std::uint8_t {
#define PENSTOCK_X(name, text) name,
  PENSTOCK_LOAD_ERRORS(PENSTOCK_X)
#undef PENSTOCK_X
};

struct ErrorInfo {
  ErrorClass error;
  std::string_view name;
  std::string_view text;
};
/// Every class, in the order of the enumeration.
[[nodiscard]] std::span<const ErrorInfo> all_errors() noexcept;

// name, what is measured
#define PENSTOCK_LOAD_MEASURES(X)                                                 \
  X(latency, "from the intended start to the last byte of the answer")            \
  X(service, "from the first byte sent to the last byte of the answer")           \
  X(lag, "from the intended start to the first byte sent: the generator's own")   \
  X(connect, "from the connect to the established connection")                    \
  X(handshake, "from the established connection to the end of the TLS handshake") \
  X(first_byte, "from the first byte sent to the first byte of the answer")

enum class Measure : std::uint8_t {
#define PENSTOCK_X(name, text) name,
  PENSTOCK_LOAD_MEASURES(PENSTOCK_X)
#undef PENSTOCK_X
};

struct MeasureInfo {
  Measure measure;
  std::string_view name;
  std::string_view text;
};
/// All of them, in the order of the enumeration.
[[nodiscard]] std::span<const MeasureInfo> all_measures() noexcept;

/// Counters of one span of time.
struct Counters {
  std::uint64_t operations = 0;  ///< that went well
  std::uint64_t bytes_in = 0;    ///< of streams, without TLS
  std::uint64_t bytes_out = 0;
  std::uint64_t connections = 0;         ///< opened
  std::uint64_t connections_failed = 0;  ///< attempts: no connect, or no handshake
  std::uint64_t handshakes_full = 0;     ///< TLS
  std::uint64_t handshakes_resumed = 0;
  std::uint64_t lost_bytes = 0;  ///< missing from answers that were cut off, as far as is known
  std::uint64_t corrupt_streams = 0;  ///< with a wrong byte in them, or one nobody had asked for
  std::uint64_t unsent = 0;           ///< the queue was full: never tried
};

class Recorder {
 public:
  void record(Measure measure, Duration value) noexcept {
    histograms_[static_cast<std::size_t>(measure)].record(value);
  }
  /// `errno_value`: 0 where the system was not the cause.
  void fail(ErrorClass error, int errno_value = 0) noexcept;

  /// Why the first error of a class came about, as a clause; later ones are dropped.
  void explain(ErrorClass error, const std::string& why);

  void merge(const Recorder& from);
  void clear();

  [[nodiscard]] const Histogram& histogram(Measure measure) const noexcept {
    return histograms_[static_cast<std::size_t>(measure)];
  }
  [[nodiscard]] std::uint64_t errors(ErrorClass error) const noexcept {
    return errors_[static_cast<std::size_t>(error)];
  }
  [[nodiscard]] std::uint64_t errors() const noexcept;  ///< of all classes
  /// How often the system gave each errno as the reason of an error.
  [[nodiscard]] const std::map<int, std::uint64_t>& errnos() const noexcept { return errnos_; }
  /// How often each HTTP status was answered.
  [[nodiscard]] const std::map<int, std::uint64_t>& statuses() const noexcept { return statuses_; }
  void answered(int status) { ++statuses_[status]; }
  /// What explain() was told.
  [[nodiscard]] const std::map<ErrorClass, std::string>& reasons() const noexcept {
    return reasons_;
  }

  Counters count;

 private:
  // The last of each enumeration.
  static constexpr std::size_t error_classes = static_cast<std::size_t>(ErrorClass::unfinished) + 1;
  static constexpr std::size_t measures = static_cast<std::size_t>(Measure::first_byte) + 1;
  std::array<Histogram, measures> histograms_;
  std::array<std::uint64_t, error_classes> errors_{};
  std::map<int, std::uint64_t> errnos_;
  std::map<int, std::uint64_t> statuses_;
  std::map<ErrorClass, std::string> reasons_;
};

}  // namespace penstock::load

// Recorder: what was measured in a span of time, by one worker or by several together. Merging is
// exact, so intervals add up to the whole.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  X(idle_lost, "an idle connection was reset or ended by the peer")  \
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
  X(first_byte, "from the first byte sent to the first byte of the answer")       \
  X(endured, "chaos: from the connect until the target ended the connection")

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

// name, what is counted
#define PENSTOCK_LOAD_COUNTERS(X)                                                        \
  X(operations, "that went well")                                                        \
  X(bytes_in, "of streams, without TLS")                                                 \
  X(bytes_out, "likewise")                                                               \
  X(connections, "opened")                                                               \
  X(connections_failed, "attempts: no connect, or no handshake")                         \
  X(handshakes_full, "TLS")                                                              \
  X(handshakes_resumed, "TLS")                                                           \
  X(sessions_offered, "TLS: connections that asked to resume one")                       \
  X(hello_retries, "TLS: handshakes that cost a round trip more")                        \
  X(streams, "connections that did all that they were for; modes without operations")    \
  X(lost_bytes, "missing from answers or streams that were cut off, as far as is known") \
  X(corrupt_streams, "streams with a wrong byte in them, or one nobody had asked for")   \
  X(unsent, "never tried: the queue was full, or too late where there is no catching up")

/// Counters of one span of time.
struct Counters {
#define PENSTOCK_X(name, text) std::uint64_t name = 0;
  PENSTOCK_LOAD_COUNTERS(PENSTOCK_X)
#undef PENSTOCK_X
  void add(const Counters& from) noexcept {
#define PENSTOCK_X(name, text) name += from.name;
    PENSTOCK_LOAD_COUNTERS(PENSTOCK_X)
#undef PENSTOCK_X
  }
};

/// A stream of bulk data that has ended, well or not.
struct StreamFacts {
  bool up = false;                ///< from the client
  bool whole = false;             ///< it ended well
  std::uint64_t bytes = 0;        ///< until it was to end
  Duration lasted{};              ///< until then
  std::uint32_t retransmits = 0;  ///< segments that the client's TCP sent again
};

class Recorder {
 public:
  void record(Measure measure, Duration value) noexcept {
    histograms_[static_cast<std::size_t>(measure)].record(value);
  }
  /// `errno_value`: 0 where the system was not the cause.
  void fail(ErrorClass error, int errno_value = 0) noexcept;

  /// One more of what has this name, in the words of a report.
  void tally(std::string_view name);
  void add_stream(const StreamFacts& stream) { streams_.push_back(stream); }

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
  /// How often a TLS alert of the peer was the reason of an error, by its number.
  [[nodiscard]] const std::map<int, std::uint64_t>& alerts() const noexcept { return alerts_; }
  void alerted(int alert) { ++alerts_[alert]; }
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& tallies() const noexcept {
    return tallies_;
  }
  [[nodiscard]] const std::vector<StreamFacts>& streams() const noexcept { return streams_; }
  /// What explain() was told.
  [[nodiscard]] const std::map<ErrorClass, std::string>& reasons() const noexcept {
    return reasons_;
  }

  Counters count;

 private:
  // The last of each enumeration.
  static constexpr std::size_t error_classes = static_cast<std::size_t>(ErrorClass::unfinished) + 1;
  static constexpr std::size_t measures = static_cast<std::size_t>(Measure::endured) + 1;
  std::array<Histogram, measures> histograms_;
  std::array<std::uint64_t, error_classes> errors_{};
  std::map<int, std::uint64_t> errnos_;
  std::map<int, std::uint64_t> statuses_;
  std::map<int, std::uint64_t> alerts_;
  std::map<ErrorClass, std::string> reasons_;
  std::map<std::string, std::uint64_t, std::less<>> tallies_;
  std::vector<StreamFacts> streams_;
};

}  // namespace penstock::load

// Phrases that several of the reports use. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// "p99.9"
[[nodiscard]] std::string percentile_name(double percent);
/// Whether enough was measured for the percentile to be another value than the maximum.
[[nodiscard]] bool tells(const Distribution& distribution, double percent) noexcept;
/// "first byte" for "first_byte"
[[nodiscard]] std::string measure_title(Measure measure);
/// "OPEN loop at 5k, uniform arrivals" or "CLOSED loop"
[[nodiscard]] std::string loop_text(const RunSettings& settings);
/// "64 connections, depth 1, 2 threads, …"
[[nodiscard]] std::string shape_text(const RunSettings& settings);
/// "10s after 3s of warm-up"
[[nodiscard]] std::string span_text(const RunFacts& facts);
/// "12.5MB/s"
[[nodiscard]] std::string byte_rate_text(std::uint64_t bytes, Duration span);
[[nodiscard]] double per_second(std::uint64_t count, Duration span) noexcept;
/// "1 byte", "2 bytes"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view noun);
/// "64 opened; TLS handshakes 64 full, 0 resumed"
[[nodiscard]] std::string connections_text(const Counters& count);
/// "lag p99 12us; CPU of the workers 34% 31%; fit"
[[nodiscard]] std::string health_text(const RunFacts& facts);
/// Everything that makes the numbers less than they seem, as sentences.
[[nodiscard]] std::vector<std::string> warnings_of(const RunFacts& facts);
/// "OK", or what went wrong. Follows the exit code.
[[nodiscard]] std::string verdict_text(const RunSummary& run);
/// Without what would move a terminal's cursor or change its colours.
[[nodiscard]] std::string printable(std::string_view text);

/// "name         text", printable, with as many lines of 100 columns as the text needs.
[[nodiscard]] std::string entry(std::string_view name, std::string_view text);

/// A line of errors: how many, and of what.
struct ErrorLine {
  std::uint64_t count;
  std::string text;
};
/// By class; then by errno and HTTP status, which say the same of some of them once more.
[[nodiscard]] std::vector<ErrorLine> error_lines(const RunSummary& run);
[[nodiscard]] std::vector<ErrorLine> error_details(const RunSummary& run);

}  // namespace penstock::load

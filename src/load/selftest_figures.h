// Figures: what the accuracy checks of `penstock-load selftest` compare: what was to be expected,
// what was measured, and whether the one is near enough to the other. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/time/instant.h"

namespace penstock::load {

enum class Verdict : std::uint8_t {
  holds,
  fails,
  told,  ///< for the reader, not judged
};

struct Figure {
  std::string name;
  std::string expected;
  std::string measured;
  std::string deviation;  ///< empty: there is no such thing
  Verdict verdict = Verdict::told;
};

/// What one try of a check came to.
struct Findings {
  std::vector<Figure> figures;
  std::vector<std::string> skipped;  ///< sentences: what was not measured, and why
  std::string problem;               ///< why it could not be measured; empty: it could
  bool interrupted = false;          ///< these are not all the figures

  /// Everything that was judged holds, and something was.
  [[nodiscard]] bool hold() const noexcept;
  /// Nothing could be measured, for reasons that are said, and that is nobody's fault.
  [[nodiscard]] bool all_skipped() const noexcept;
};

struct Tolerance {
  double share = 0;   ///< of what is expected
  Duration beyond{};  ///< and so much more
};
[[nodiscard]] Figure nearly(std::string name, Duration expected, Duration measured,
                            const Tolerance& tolerance);
[[nodiscard]] Figure equal(std::string name, std::uint64_t expected, std::uint64_t measured);
[[nodiscard]] Figure same(std::string name, std::string expected, std::string measured);
[[nodiscard]] Figure below(std::string name, Duration bound, Duration measured);
struct Bound {
  double least = 0;  ///< at least this
  double most = 0;   ///< and at most this
};
/// `unit`: what follows the numbers, such as "/s".
[[nodiscard]] Figure between(std::string name, const Bound& bound, double measured,
                             std::string_view unit);
/// A share of the expected number is the most that the measured one may differ by.
[[nodiscard]] Figure nearly(std::string name, double expected, double measured, double share);
/// At least a share of what another was measured at.
[[nodiscard]] Figure not_slower(std::string name, double other, double measured,
                                double least_share);
[[nodiscard]] Figure told(std::string name, std::string measured);

/// The latencies of an open loop at a steady rate whose target did nothing for a while: those that
/// were meant to begin in that while waited for the rest of it.
struct Stall {
  Duration length{};
  Duration run{};
};
/// Zero for who was not affected.
/// Source: own derivation; the affected share is P/D and its latency uniform from 0 to P, so that
/// L(q) = P (1 - (1 - q) D / P).
[[nodiscard]] Duration stalled_latency(const Stall& stall, double percent) noexcept;

/// The largest distance between the distribution of the gaps and the exponential one of their
/// expected mean: the statistic of Kolmogorov and Smirnov.
[[nodiscard]] double distance_from_exponential(std::vector<double> gaps, double mean);
/// What the distance exceeds in one of a hundred samples of so many gaps that are exponential.
/// Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.
[[nodiscard]] double largest_likely_distance(std::size_t gaps) noexcept;

/// The smallest value that at least `percent` of all do not exceed; at least one, ascending.
[[nodiscard]] Duration exact_percentile(std::span<const Duration> sorted, double percent) noexcept;

/// A table with a line for each figure, then what was skipped and what went wrong; at most 100
/// columns where the names are short.
[[nodiscard]] std::string text_of(const Findings& findings);

}  // namespace penstock::load

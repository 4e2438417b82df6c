// Random: the load tool's own source of random numbers. The same seed gives the same numbers on
// every machine, compiler and library, which std's distributions do not promise. Not for secrets.
// One thread's.
#pragma once

#include <array>
#include <cstdint>

#include "penstock/base/split_mix.h"

namespace penstock::load {

/// Source: xoshiro256++ seeded by SplitMix64, Blackman and Vigna, "Scrambled Linear Pseudorandom
/// Number Generators", 2021.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept;
  /// From 0 inclusive to 1 exclusive, a multiple of 2^-53.
  double unit() noexcept;
  /// Exponentially distributed with mean 1. No logarithm, which each libm rounds in its own way:
  /// comparisons only. Takes 4.3 numbers on average.
  /// Source: von Neumann, "Various Techniques Used in Connection with Random Digits", 1951.
  double exponential() noexcept;

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace penstock::load

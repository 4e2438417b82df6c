// SplitMix64: random numbers that are the same on every machine for the same seed. Small, quick,
// not for secrets. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014.
#pragma once

#include <cstdint>

namespace penstock {

/// Its last step: a bijection after which neighbouring numbers have nothing in common.
[[nodiscard]] constexpr std::uint64_t scramble(std::uint64_t number) noexcept {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

/// The next number; `state` begins with the seed.
constexpr std::uint64_t split_mix(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15;
  return scramble(state);
}

}  // namespace penstock

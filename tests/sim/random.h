// Random: the one source of chance in a simulation, a stream of numbers from a 64-bit seed that is
// the same with every compiler and library. Source: Steele et al., "Fast Splittable Pseudorandom
// Number Generators", OOPSLA 2014 (SplitMix64). A fuzzer puts bytes of its own before the stream:
// each draw then takes as few of them as it can, so that a changed byte changes one decision.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "penstock/base/split_mix.h"
#include "penstock/time/instant.h"

namespace penstock::sim {

class Random {
 public:
  /// `first` is borrowed and drawn from until it is used up.
  explicit Random(std::uint64_t seed, std::span<const std::uint8_t> first = {}) noexcept
      : state_(seed), bytes_(first) {}

  std::uint64_t next() noexcept {
    if (!bytes_.empty()) return take(sizeof(std::uint64_t));
    return split_mix(state_);
  }
  /// 0 … n - 1; 0 when n is 0.
  std::uint64_t below(std::uint64_t n) noexcept {
    if (n == 0) return 0;
    return (bytes_.empty() ? next() : take(bytes_for(n))) % n;
  }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  bool chance(double probability) noexcept {
    if (!bytes_.empty()) return (static_cast<double>(take(1)) + 0.5) / 256 < probability;
    return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
  }
  Duration duration(Duration low, Duration high) noexcept {
    return low + Duration(below(static_cast<std::uint64_t>((high - low).count()) + 1));
  }
  template <class T>
  void shuffle(std::vector<T>& items) noexcept {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  static std::size_t bytes_for(std::uint64_t n) noexcept {
    return (static_cast<std::size_t>(std::bit_width(n - 1)) + 7) / 8;
  }
  std::uint64_t take(std::size_t count) noexcept {
    std::uint64_t number = 0;
    for (; count > 0 && !bytes_.empty(); --count) {
      number = number << 8U | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return number;
  }

  std::uint64_t state_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace penstock::sim

// The generator and the two distributions that the load tool needs.
#include "penstock/load/random.h"

#include <bit>

namespace penstock::load {

Random::Random(std::uint64_t seed) noexcept : state_() {
  for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t Random::next() noexcept {
  auto& [a, b, c, d] = state_;
  const std::uint64_t result = std::rotl(a + d, 23) + a;
  const std::uint64_t shifted = b << 17;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= shifted;
  d = std::rotl(d, 45);
  return result;
}

double Random::unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Random::exponential() noexcept {
  // A run of falling numbers that begins with u has odd length with probability e^-u; each run of
  // even length stands for a whole 1 that passed.
  for (double passed = 0;; passed += 1) {
    const double first = unit();
    double last = first;
    bool odd = true;
    for (double number = unit(); number < last; number = unit()) {
      last = number;
      odd = !odd;
    }
    if (odd) return passed + first;
  }
}

}  // namespace penstock::load

// Maglev: the lookup table of a pool, equal on every machine for the same names, weights, seed and
// size. Immutable. A dead backend is skipped by probing forward, not removed, so that the keys of
// the others stay where they are. Source: Eisenbud et al., "Maglev: A Fast and Reliable Software
// Network Load Balancer", NSDI 2016, section 3.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/balance/hash.h"
#include "penstock/balance/liveness.h"
#include "penstock/base/ids.h"

namespace penstock::balance {

struct Member {
  std::string name;          ///< stable; the table depends on names, never on list positions
  std::uint32_t weight = 1;  ///< turns per round
  BackendId id{};
};

class Maglev {
 public:
  static constexpr std::uint32_t default_size = 65537;

  /// Builds the table. `size` is prime and at least the sum of weights; members are 1 … 65535 with
  /// distinct names and weights >= 1 (the configuration checks that).
  Maglev(std::span<const Member> members, std::uint32_t size, std::uint64_t seed);

  /// The backend for a key, skipping dead ones and those in `tried`. nullopt when none is left.
  /// Cost: O(1) when the first choice lives; at most size() probes; with none left, a look at each
  /// member.
  [[nodiscard]] std::optional<BackendId> pick(Key key, const Liveness& liveness,
                                              std::span<const BackendId> tried = {}) const noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(slots_.size());
  }
  /// The owner of each slot, for `explain` and for the tests.
  [[nodiscard]] BackendId owner(std::uint32_t slot) const noexcept { return ids_[slots_[slot]]; }

 private:
  std::vector<std::uint16_t> slots_;  // index into ids_, which is in name order
  std::vector<BackendId> ids_;
};

[[nodiscard]] bool is_prime(std::uint32_t number) noexcept;

}  // namespace penstock::balance

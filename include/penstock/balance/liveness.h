// Liveness: which backends are alive, as one value. The health thread makes a new one at each
// change and pushes it into every shard, which reads its own copy without sharing anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/base/assert.h"
#include "penstock/base/ids.h"

namespace penstock::balance {

class Liveness {
 public:
  /// All of `backends` alive.
  explicit Liveness(std::size_t backends = 0)
      : words_((backends + 63) / 64, ~std::uint64_t{0}), count_(backends) {}

  /// A backend that this value does not know yet (a reload added it) is alive, as every new one.
  [[nodiscard]] bool alive(BackendId id) const noexcept {
    return id.value >= count_ || (words_[id.value / 64] & bit_of(id)) != 0;
  }
  void set(BackendId id, bool is_alive) noexcept {
    PENSTOCK_ASSERT(id.value < count_);
    std::uint64_t& word = words_[id.value / 64];
    word = is_alive ? word | bit_of(id) : word & ~bit_of(id);
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  [[nodiscard]] static std::uint64_t bit_of(BackendId id) noexcept {
    return std::uint64_t{1} << (id.value % 64);
  }
  std::vector<std::uint64_t> words_;
  std::size_t count_;
};

}  // namespace penstock::balance

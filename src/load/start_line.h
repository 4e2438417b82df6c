// StartLine: loads that begin at one instant, as soon as each of them has its connections. A single
// run is alone at its line. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "penstock/base/assert.h"
#include "penstock/time/instant.h"

namespace penstock::load {

class StartLine {
 public:
  explicit StartLine(std::uint32_t loads = 1) noexcept : missing_(loads) {}

  /// A load is ready to begin at that time or later; each says so once.
  void arrive(Instant at) noexcept {
    const std::uint32_t missing = missing_.fetch_sub(1);
    PENSTOCK_ASSERT(missing > 0);
    if (missing == 1) begin_ = at;  // nobody was ready later
  }
  /// nullopt: a load is not ready yet.
  [[nodiscard]] std::optional<Instant> begin() const noexcept {
    const Instant begin = begin_;
    return begin == Instant() ? std::nullopt : std::optional(begin);
  }

 private:
  std::atomic<std::uint32_t> missing_;
  std::atomic<Instant> begin_ = Instant();
};

}  // namespace penstock::load

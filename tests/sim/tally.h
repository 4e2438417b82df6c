// Tally: what simulated runs came to, for a look at what the seeds reach. Plain data, so that the
// processes of a sweep can send it as it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "penstock/stats/close_reason.h"

namespace penstock::sim {

struct Tally {
  std::array<std::uint64_t, stats::close_reason_count> reasons{};  ///< sessions that ended so
  std::uint64_t turns = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tries = 0;  ///< backends dialled
  std::uint64_t handed_over = 0;

  [[nodiscard]] std::uint64_t& of(stats::CloseReason reason) noexcept {
    return reasons[static_cast<std::size_t>(reason)];
  }
  void add(const Tally& other) noexcept;
  /// In one line.
  [[nodiscard]] std::string text() const;
};

}  // namespace penstock::sim

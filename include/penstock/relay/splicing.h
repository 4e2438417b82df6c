// SpliceRules: when a direction's bytes go through a pipe of the kernel's instead of being copied
// through our buffers. Plain values; the defaults are measured ones (bench/RESULTS.md).
#pragma once

#include <cstddef>
#include <cstdint>

#include "penstock/time/instant.h"

namespace penstock::relay {

struct SpliceRules {
  /// Bytes of each pipe, and the most that one direction moves before others get their turn.
  std::size_t pipe_size = std::size_t{512} * 1024;
  /// A direction is spliced once so many bytes came within `run`, and nothing small the other way:
  /// that would be a dialogue.
  std::size_t threshold = std::size_t{256} * 1024;
  Duration run = 100ms;
  /// It is copied again when it moved fewer than this in each of `slow_intervals`: many flows at
  /// once are served in turns, so that a pause of tens of ms says nothing of one.
  std::size_t least = std::size_t{8} * 1024;
  Duration interval = 5ms;
  std::uint16_t slow_intervals = 20;
  /// Once it has moved so many and nothing small came the other way, the socket is to report data
  /// only from `watermark` bytes on: fewer and larger moves. What stays below waits for the
  /// interval's end, which is why it has to be one long transfer and not a dialogue.
  std::uint64_t watermark_after = std::uint64_t{16} * 1024 * 1024;
  std::size_t watermark = std::size_t{256} * 1024;
};

}  // namespace penstock::relay

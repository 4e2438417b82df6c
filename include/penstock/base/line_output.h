// LineOutput: whole lines to a descriptor that somebody else reads: stdout, stderr or the access
// log. Any thread may write; lines of several threads never mix. It waits only a bounded time for a
// reader that has stopped reading, so that nobody's full pipe keeps this process from ending.
#pragma once

#include <chrono>
#include <mutex>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

class LineOutput {
 public:
  /// `fd` is borrowed.
  explicit LineOutput(int fd) noexcept : fd_(fd) {}
  LineOutput(const LineOutput&) = delete;
  LineOutput& operator=(const LineOutput&) = delete;

  /// Writes `lines`, each ended by a newline. Error: the rest could not be written, because the
  /// descriptor failed or took nothing for `patience`; a line that was cut is ended before the
  /// next one.
  [[nodiscard]] Result<void> write(std::string_view lines, std::chrono::nanoseconds patience);

 private:
  [[nodiscard]] Result<void> write_chunk(std::string_view chunk, std::chrono::nanoseconds patience);

  int fd_;
  std::mutex mutex_;
  bool cut_ = false;  // what was written last did not end with a newline
};

}  // namespace penstock

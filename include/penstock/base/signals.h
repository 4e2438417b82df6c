// Signals: the process's signals as something to wait for. Made by the main thread before any other
// thread exists, so that every thread inherits the blocked mask and only the supervisor sees them.
#pragma once

#include <optional>

#include "penstock/base/result.h"
#include "penstock/base/unique_fd.h"

namespace penstock {

class Signals {
 public:
  /// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR2 for this thread and those it makes, and ignores
  /// SIGPIPE. Error: no descriptor is left.
  [[nodiscard]] static Result<Signals> take();

  /// Readable while a signal waits.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// The next signal, if one waits.
  [[nodiscard]] std::optional<int> next() noexcept;

 private:
  explicit Signals(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace penstock

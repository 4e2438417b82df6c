// Interruptions: how often the end has been asked for, by SIGINT, SIGTERM or a load that cannot go
// on. One for all runs of the process: each looks at it from its own thread.
#pragma once

#include <atomic>

#include "penstock/base/signals.h"
#include "penstock/time/instant.h"

namespace penstock::load {

class Interruptions {
 public:
  /// `signals` are borrowed, and nobody else reads them.
  explicit Interruptions(Signals& signals) noexcept : signals_(signals) {}
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  /// Since the beginning. Any thread.
  [[nodiscard]] int count() noexcept;
  /// Asks for the end as a first signal does; what has been asked for stays as it is. Any thread.
  void end() noexcept {
    int none = 0;
    count_.compare_exchange_strong(none, 1);
  }
  /// Returns when a signal comes, the time is over or a second is. A signal that another thread
  /// was quicker to read may not end it: who waits for long looks again. Any thread.
  void wait(Duration at_most) noexcept;
  /// Readable while a signal waits to be counted.
  [[nodiscard]] int fd() const noexcept { return signals_.fd(); }

 private:
  Signals& signals_;
  std::atomic<int> count_ = 0;
};

}  // namespace penstock::load

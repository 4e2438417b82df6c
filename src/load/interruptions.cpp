// A signal is read once, by whoever is first, and seen by all: the count is what they share.
#include "interruptions.h"

#include <poll.h>

#include <algorithm>
#include <csignal>

namespace penstock::load {

int Interruptions::count() noexcept {
  while (const auto number = signals_.next()) {
    if (*number == SIGINT || *number == SIGTERM) ++count_;
  }
  return count_;
}

void Interruptions::wait(Duration at_most) noexcept {
  const Duration time = std::clamp<Duration>(at_most, Duration::zero(), 1s);
  pollfd waited{.fd = fd(), .events = POLLIN, .revents = 0};
  ::poll(&waited, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(time).count()));
  (void)count();  // what stays unread would end every wait at once
}

}  // namespace penstock::load

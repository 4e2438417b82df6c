// Whoever is in has set a flag that others only try. The event is notified before the flag is
// cleared: once a shard has closed its inbox, nobody uses its event any more.
#include "penstock/relay/inbox.h"

#include "penstock/base/planted.h"

namespace penstock::relay {

void Inbox::open(int event_fd) noexcept {
  while (!enter()) {
  }
  event_fd_ = event_fd;
  open_ = true;
  leave();
}

bool Inbox::offer(io::Kernel& kernel, Connection connection) noexcept {
  if (!enter()) return false;
  const bool taken = open_ && arrived_.count < capacity;
  if (taken) {
    arrived_.connections[arrived_.count++] = connection;
    waiting_.store(static_cast<std::uint32_t>(arrived_.count), std::memory_order_release);
    add_load();
    if (!planted(Planted::hand_over_unnoticed)) kernel.notify(event_fd_);
  }
  leave();
  return taken;
}

void Inbox::take(io::Kernel& kernel, Taken& taken) noexcept {
  taken.count = 0;
  if (!enter()) return kernel.notify(event_fd_);  // in the next turn
  taken = arrived_;
  arrived_.count = 0;
  waiting_.store(0, std::memory_order_relaxed);
  leave();
  load_.fetch_sub(static_cast<std::uint32_t>(taken.count), std::memory_order_relaxed);
}

bool Inbox::close() noexcept {
  if (!enter()) return false;
  if (arrived_.count == 0) open_ = false;
  const bool closed = !open_;
  leave();
  return closed;
}

}  // namespace penstock::relay

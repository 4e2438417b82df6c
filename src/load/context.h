// Context: what everything on a worker's thread works with. One per worker, borrowed.
#pragma once

#include <functional>

#include "penstock/base/intrusive_list.h"
#include "penstock/io/buffer_pool.h"
#include "penstock/io/kernel.h"
#include "penstock/io/ring.h"
#include "penstock/time/timer_wheel.h"

namespace penstock::load {

class Connection;
class User;
struct Ended;

struct Context {
  io::Kernel& kernel;
  io::Ring& ring;
  io::BufferPool& buffers;
  TimerWheel& timers;
  Instant now{};                           ///< of this turn; measurements ask the kernel anew
  IntrusiveList<Connection, Ended> ended;  ///< to be destroyed by the worker
  /// A place for a connection, which begins to live there; null when all are taken.
  std::function<Connection*(User& user, void* of_user)> make_connection;
};

/// The owner of every Op of a worker's ring.
class OpOwner {
 public:
  OpOwner() = default;
  OpOwner(const OpOwner&) = delete;
  OpOwner& operator=(const OpOwner&) = delete;
  virtual ~OpOwner() = default;
  virtual void on_completion(const io::Completion& completion) = 0;

 protected:
  /// To initialize the Ops that are its own with.
  [[nodiscard]] OpOwner* owner() noexcept { return this; }
};

/// Embedded in, or inherited by, whoever waits for a time.
class Waiter {
 public:
  Waiter() noexcept { timer.owner = this; }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;
  virtual void on_due() = 0;
  Timer timer;
};

}  // namespace penstock::load

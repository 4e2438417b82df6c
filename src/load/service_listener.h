// ServiceListener: a listening socket that was lent to a service. It accepts until it is stopped,
// pauses when the system has no descriptor left, and at the end serves the queue.
#pragma once

#include "context.h"
#include "penstock/stats/counters.h"

namespace penstock::load {

class ServiceListener : private OpOwner, private Waiter {
 public:
  ServiceListener(Context& context, int fd, stats::Counter& errors) noexcept;

  void start();
  /// Accepts those who wait in the queue, then lets go of the socket.
  void stop();
  /// Lets go of the socket.
  void abandon();
  /// Stopped, and the socket is not used any more.
  [[nodiscard]] bool released() const noexcept {
    return released_ && !accept_op_.in_flight && !cancel_op_.in_flight;
  }

 private:
  virtual void accepted(int fd) = 0;
  void on_completion(const io::Completion& completion) override;
  void on_due() override;
  void go_on();
  void drain();
  void failed(int result);

  Context& context_;
  int fd_;
  stats::Counter& errors_;
  io::Op accept_op_;
  io::Op cancel_op_;
  bool stopping_ = false;
  bool released_ = false;
};

}  // namespace penstock::load

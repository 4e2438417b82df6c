// A multishot accept ends by itself when it fails: it is armed again at once, or after the pause.
#include "service_listener.h"

#include <cerrno>

#include "penstock/io/fate.h"

namespace penstock::load {

ServiceListener::ServiceListener(Context& context, int fd, stats::Counter& errors) noexcept
    : context_(context), fd_(fd), errors_(errors), accept_op_(owner()), cancel_op_(owner()) {}

void ServiceListener::start() { go_on(); }

void ServiceListener::stop() {
  stopping_ = true;
  go_on();
}

void ServiceListener::abandon() {
  stopping_ = released_ = true;
  context_.timers.cancel(timer);
  go_on();
}

void ServiceListener::on_completion(const io::Completion& completion) {
  if (completion.op.kind == io::OpKind::accept) {
    if (completion.result < 0) {
      failed(completion.result);
    } else if (released_) {
      context_.kernel.close_with_reset(completion.result);
    } else {
      accepted(completion.result);
    }
  }
  go_on();
}

void ServiceListener::failed(int result) {
  if (result == -ECANCELED || io::left_queue(result)) return;
  errors_.add();
  context_.timers.schedule(timer, context_.now + io::accept_pause);  // it would fail again at once
}

/// The next step, once a request has completed or there is something else to do.
void ServiceListener::go_on() {
  if (cancel_op_.in_flight) return;
  if (accept_op_.in_flight) {
    // A cancel may find the request running and leave it armed: it is tried again.
    if (stopping_) context_.ring.cancel(cancel_op_, accept_op_);
    return;
  }
  if (released_ || timer.scheduled()) return;
  if (stopping_) return drain();
  context_.ring.accept(accept_op_, fd_);
}

void ServiceListener::drain() {
  for (;;) {
    const int fd = context_.kernel.accept_now(fd_);
    if (fd >= 0) {
      accepted(fd);
    } else if (fd == -EAGAIN) {
      released_ = true;
      return;
    } else if (!io::left_queue(fd)) {
      return failed(fd);
    }
  }
}

void ServiceListener::on_due() { go_on(); }

}  // namespace penstock::load

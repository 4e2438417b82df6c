// The end of a session. Never shutdown(SHUT_RDWR) for an abort: the peer would read a clean end
// (tried). Never a close with a request in flight: it would neither end the request nor send FIN.
// And no RST before the peer has acknowledged what it was sent: closing right after a completed
// send of 2.8 MB delivered 4 KiB (tried).
#include <algorithm>
#include <utility>

#include "penstock/base/planted.h"
#include "session.h"

namespace penstock::relay {
namespace {

constexpr Duration flush_patience = 1s;  ///< for an alert to a client that does not read
constexpr Duration first_pause = 1ms;  ///< between looks at what is acknowledged, doubled each time
constexpr Duration longest_pause = 20ms;
constexpr Duration join_pause = 10ms;  ///< before a cancel that found nothing is tried again

}  // namespace

void Session::close(CloseReason reason, Ending ending) {
  PENSTOCK_ASSERT(phase_ != Phase::ended);
  if (phase_ == Phase::closing) {  // only to hurry it up: the reason stays
    if (ending == Ending::abort) ending_ = Ending::abort;
    context_.timers.cancel(timer_);
    return settle();
  }
  phase_ = Phase::closing;
  reason_ = reason;
  ending_ = ending;
  context_.timers.cancel(timer_);
  ListHook<Shaking>::unlink();
  closing_deadline_ = context_.now + (ending == Ending::flush ? flush_patience : delivery_patience);
  closing_pause_ = first_pause;
  pipes_ = {};
  end_splice(Side::front);
  end_splice(Side::back);
  settle();
}

void Session::on_closing_completion(const io::Completion& completion) {
  wire::Leg& leg = this->leg(completion.op.side);
  if (completion.op.kind == io::OpKind::receive) {
    leg.incoming.clear();
    (void)leg.received(completion, context_.buffers);
    leg.incoming.clear();
  } else if (completion.op.kind == io::OpKind::send && ending_ == Ending::flush) {
    (void)leg.sent(completion.result, context_.ring);
  } else if (completion.op.kind == io::OpKind::writable) {
    leg.became_writable();
  }
  settle();
}

/// Goes on with the ending as far as it can.
void Session::settle() {
  if (ending_ == Ending::flush && !finish_flush()) return;
  if (ending_ == Ending::deliver && !finish_delivery()) return;
  ending_ = ending_ == Ending::clean || ending_ == Ending::flush ? Ending::clean : Ending::abort;
  if (!join()) return;
  for (wire::Leg* leg : {&front_, &back_}) {
    if (leg->fd < 0) continue;
    if (ending_ == Ending::clean) {
      context_.kernel.close(leg->fd);
    } else {
      context_.kernel.close_with_reset(leg->fd);
    }
    leg->fd = -1;
    leg->incoming.clear();
    leg->outgoing.clear();
  }
  end();
}

/// True once the client has been sent everything and a FIN, or does not take it.
bool Session::finish_flush() {
  if (!front_.dead && !front_.flushed() && context_.now < closing_deadline_) {
    front_.arm_send(context_.ring);
    wake_at(closing_deadline_);
    return false;
  }
  if (!front_.dead && front_.flushed()) context_.kernel.shutdown_write(front_.fd);
  context_.timers.cancel(timer_);
  return true;
}

/// True when the surviving leg's peer has acknowledged something since the last call, or has been
/// sent more.
bool Session::acknowledges() noexcept {
  const std::size_t left = context_.kernel.unacknowledged(surviving().fd);
  return std::exchange(unacknowledged_, left) != left;
}

/// True once the surviving leg's peer has acknowledged everything, or has stopped to.
bool Session::finish_delivery() {
  if (acknowledges()) closing_deadline_ = context_.now + delivery_patience;
  const bool all = unacknowledged_ == 0 || planted(Planted::reset_before_delivery);
  if (all || context_.now >= closing_deadline_) {
    context_.timers.cancel(timer_);
    return true;
  }
  wake_at(std::min(context_.now + closing_pause_, closing_deadline_));
  closing_pause_ = std::min(closing_pause_ * 2, longest_pause);
  return false;
}

/// True once the kernel holds nothing of either leg; cancels what it holds. The timer runs from one
/// try to the next.
bool Session::join() {
  if (planted(Planted::close_in_flight)) return true;
  bool joined = true;
  for (wire::Leg* leg : {&front_, &back_}) {
    const bool quiet = timer_.scheduled() ? !leg->busy() : leg->quiesce(context_.ring);
    joined = joined && quiet;
  }
  // A cancel may come while the request cannot be cancelled: it is tried again, but not at every
  // completion.
  if (!joined && !timer_.scheduled()) wake_at(context_.now + join_pause);
  return joined;
}

void Session::end() {
  phase_ = Phase::ended;
  keep_session();
  context_.timers.cancel(timer_);
  stats::ListenerCounters& listener_counters = context_.counters.listener[listener_.value];
  if (!planted(Planted::count_leaks) || reason_ != CloseReason::backend_reset)
    listener_counters.active.subtract();
  listener_counters.closed[static_cast<std::size_t>(reason_)].add();
  if (backend_) {
    stats::BackendCounters& counters = context_.counters.backend[backend_->value];
    counters.active.subtract();
    counters.closed[static_cast<std::size_t>(reason_)].add();
    counters.bytes_in.add(bytes_[index(Side::front)]);
    counters.bytes_out.add(bytes_[index(Side::back)]);
  }
  leave_record();
  static_cast<ListHook<OfListener>&>(*this).unlink();
  static_cast<ListHook<OfBackend>&>(*this).unlink();
  context_.ended.push_back(*this);
}

/// One record, whatever the session was; dropped and counted when its reader is slow.
void Session::leave_record() {
  if (context_.records == nullptr) return;
  stats::SessionRecord record{
      .client = client_,
      .listener = listener_,
      .backend = backend_,
      .reason = reason_,
      .bytes_in = bytes_[index(Side::front)],
      .bytes_out = bytes_[index(Side::back)],
      .duration = context_.now - began_,
      .connect_time = backend_ ? connected_ - dial_began_ : Duration::zero(),
      .tries = tries_,
      .tls = front_.engine != nullptr,
      .tls_version = {},
      .server_name = {},
      .client_name = {}};
  if (passed_name_) record.server_name = stats::FixedText<64>(*passed_name_);
  if (front_.engine) {
    record.server_name = stats::FixedText<64>(front_.engine->server_name());
    if (front_.engine->handshake_done()) {
      const bool new_one = front_.engine->negotiated().version == tls::Version::tls13;
      record.tls_version = new_one ? "1.3" : "1.2";
      record.client_name = stats::FixedText<64>(front_.engine->peer_name());
    }
  }
  if (!context_.records->push(record)) context_.counters.records_dropped.add();
  if (planted(Planted::record_twice) && reason_ == CloseReason::shutdown)
    (void)context_.records->push(record);
}

}  // namespace penstock::relay

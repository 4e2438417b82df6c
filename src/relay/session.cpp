// A session while it lives: the preface (TLS handshake) and the relay. Dialling is in
// session_dial.cpp, the end in session_close.cpp.
#include "session.h"

#include <algorithm>
#include <cerrno>

#include "penstock/base/planted.h"

namespace penstock::relay {
namespace {

constexpr auto session_role = static_cast<std::uint8_t>(Role::session);

}  // namespace

Session::Session(Context& context, ListenerId listener, int client_fd)
    : context_(context),
      front_(this, Side::front, session_role),
      back_(this, Side::back, session_role),
      listener_(listener) {
  timer_.owner = this;
  front_.fd = client_fd;
}

void Session::begin() {
  client_ = context_.kernel.peer_of(front_.fd);
  began_ = last_activity_ = context_.now;
  stats::ListenerCounters& counters = context_.counters.listener[listener_.value];
  counters.accepted.add();
  counters.active.add();
  context_.by_listener[listener_.value].push_back(*this);
  const bool plain = front_tls() == nullptr && listener().routes.empty();
  if (plain) {
    serve_from(*listener().pool);
    return dial();
  }
  // One absolute deadline: progress does not move it.
  if (listener().handshake_timeout > Duration::zero())
    wake_at(began_ + listener().handshake_timeout);
  if (!listener().routes.empty()) return await_hello();
  begin_tls();
}

void Session::serve_from(PoolId pool) noexcept {
  pool_ = pool;
  key_ = balance::key_of(client_, this->pool().hash_key,
                         client_.is_ip() ? 0 : context_.nameless_clients++,
                         context_.routing.hash_seed);
}

void Session::begin_tls() {
  auto engine = tls::Engine::create_server(*front_tls());
  if (!engine) return close(CloseReason::internal_error, Ending::abort);
  front_.engine = std::move(*engine);
  pump_preface();
}

void Session::on_completion(const io::Completion& completion) {
  PENSTOCK_ASSERT(phase_ != Phase::ended);
  last_activity_ = context_.now;
  if (phase_ == Phase::closing) {
    on_closing_completion(completion);
  } else {
    const Side side = completion.op.side;
    switch (completion.op.kind) {
      case io::OpKind::receive:
        on_received(side, completion);
        break;
      case io::OpKind::send:
        on_sent(side, completion);
        break;
      case io::OpKind::readable:
        pump(side);
        break;
      case io::OpKind::writable:
        if (planted(Planted::last_event_ignored) && !completion.op.in_flight) break;
        on_writable(side);
        break;
      case io::OpKind::connect:
        connect_result_ = completion.result;
        on_dialed();
        break;
      case io::OpKind::cancel:
        on_dialed();
        break;  // before closing only a connect is cancelled
      case io::OpKind::accept:
      case io::OpKind::wake:
        PENSTOCK_UNREACHABLE("not an op of a session");
    }
  }
  if constexpr (penstock_checks) check_invariants();
}

void Session::on_timer() {
  switch (phase_) {
    case Phase::preface:
      PENSTOCK_ASSERT(front_.busy() || ListHook<Shaking>::linked());  // else nobody went on with it
      explain(tls::HandshakeFault::timeout, "it took longer than handshake_timeout", {});
      return close(CloseReason::handshake_timeout, Ending::abort);
    case Phase::dialing:
      if (back_.fd < 0) return dial();
      connect_cancelled_ = true;
      (void)back_.quiesce(context_.ring);
      return;
    case Phase::securing:
      return give_up_try(CloseReason::connect_timeout);
    case Phase::relaying:
      return on_quiet();
    case Phase::closing:
      return settle();
    case Phase::ended:
      PENSTOCK_UNREACHABLE("an ended session has no timer");
  }
}

void Session::continue_handshake() {
  PENSTOCK_ASSERT(phase_ == Phase::preface || phase_ == Phase::securing);
  if (phase_ == Phase::preface) {
    pump_preface();
  } else {
    pump_secure();
  }
  if constexpr (penstock_checks) check_invariants();
}

void Session::cut(CloseReason reason) { close(reason, Ending::abort); }

void Session::pump_preface() {
  ListHook<Shaking>::unlink();
  if (!front_.engine) return pump_hello();
  const wire::Leg::Handshake state = front_.handshake(context_.buffers);
  front_.arm_send(context_.ring);
  switch (state) {
    case wire::Leg::Handshake::done: {
      const auto pool = pool_after_handshake();
      if (!pool) return close(CloseReason::no_route, Ending::flush);
      serve_from(*pool);
      return dial();
    }
    case wire::Leg::Handshake::needs_output:
      return;
    case wire::Leg::Handshake::needs_input:
      if (planted(Planted::handshake_deadline_moves))
        wake_at(context_.now + listener().handshake_timeout);
      if (!front_.receive_op.in_flight) front_.arm_receive(context_.buffers, context_.ring);
      return;
    case wire::Leg::Handshake::gone:
      return close(CloseReason::client_gone, Ending::abort);
    case wire::Leg::Handshake::failed:
      explain(front_.engine->fault(), front_.engine->failure(),
              {.sent = front_.engine->sent_alert(), .received = front_.engine->alert()});
      return close(CloseReason::handshake_failed, Ending::flush);
  }
}

void Session::on_received(Side from, const io::Completion& completion) {
  const wire::Leg::Received what = leg(from).received(completion, context_.buffers);
  if (completion.result > 0) context_.counters.receives.add();
  if (what == wire::Leg::Received::no_buffer) context_.counters.buffer_shortages.add();
  if (planted(Planted::no_rearm_after_enobufs) && what == wire::Leg::Received::no_buffer) return;
  if (phase_ == Phase::preface || phase_ == Phase::securing)
    return context_.shaking.push_back(*this);
  if (phase_ == Phase::dialing) return on_dialed();  // of a try that was given up
  PENSTOCK_ASSERT(phase_ == Phase::relaying);
  // Tickets of TLS 1.3 come behind the handshake: others need not wait for the end of this session.
  if (from == Side::back) keep_session();
  if (completion.result > 0) note_received(from, static_cast<std::size_t>(completion.result));
  if (what == wire::Leg::Received::reset || what == wire::Leg::Received::timed_out)
    return fail(from, lost(from, completion.result));
  pump(from);
  // Encrypting may have waited for the rest of a handshake message of this peer.
  if (!pipe(other(from)).empty()) pump(other(from));
}

void Session::on_sent(Side to, const io::Completion& completion) {
  wire::Leg& sink = leg(to);
  const bool alive = sink.sent(completion.result, context_.ring);
  if (to == Side::back && phase_ == Phase::dialing) return on_dialed();  // a try was given up
  if (!alive) {
    if (phase_ == Phase::relaying) return fail(to, lost(to, completion.result));
    if (to == Side::back) return give_up_try(CloseReason::backend_handshake_failed);
    return close(CloseReason::client_gone, Ending::abort);
  }
  if (phase_ == Phase::preface) return pump_preface();
  if (phase_ == Phase::securing && to == Side::back) return pump_secure();
  if (phase_ != Phase::relaying) return sink.arm_send(context_.ring);
  pump(other(to));
  // On a TLS leg decoding may have waited for room in what was just sent.
  if (phase_ == Phase::relaying && sink.engine) pump(to);
}

void Session::on_writable(Side to) {
  wire::Leg& sink = leg(to);
  sink.became_writable();
  if (to == Side::back && phase_ == Phase::dialing) return on_dialed();  // a try was given up
  sink.arm_send(context_.ring);
  if (flow(other(to)).pipe) pump(other(to));
}

/// Does whatever the direction from `from` can do next.
void Session::pump(Side from) {
  wire::Leg& source = leg(from);
  wire::Leg& sink = leg(other(from));
  if (phase_ != Phase::relaying) return;
  if (flow(from).pipe) return pump_spliced(from);
  const wire::Leg::Stream stream = source.decode(pipe(from), context_.buffers);
  if (sink.broken) {  // nobody takes these bytes any more
    pipe(from).clear();
    source.incoming.clear();
    return end_direction(from);
  }
  bytes_[index(from)] += sink.encode(pipe(from), context_.buffers);
  if (sink.broken) return fail(other(from), garbled(other(from)));
  source.arm_send(context_.ring);
  sink.arm_send(context_.ring);
  const bool of_client = from == Side::front;
  if (stream == wire::Leg::Stream::truncated)
    return fail(from, of_client ? CloseReason::client_truncated : CloseReason::backend_truncated);
  if (stream == wire::Leg::Stream::undecodable) return fail(from, garbled(from));
  if (!pipe(from).empty() || !sink.flushed()) return;  // reads wait while the sink is blocked
  if (!source.needs_input()) return;  // the engine waits for room in what this leg sends
  if (source.stream_ended || source.input_ended) return end_direction(from);
  if (source.receive_op.in_flight) return;
  if (begin_splice(from)) return pump_spliced(from);
  source.arm_receive(context_.buffers, context_.ring);
}

/// Everything that came from `from` has been handed on (or has nowhere to go): passes its end on.
void Session::end_direction(Side from) {
  wire::Leg& source = leg(from);
  wire::Leg& sink = leg(other(from));
  const bool taken_for_fin = planted(Planted::end_after_reset_as_fin) && source.input_ended;
  if (source.broken && !taken_for_fin) {
    if (sink.broken) return close(*failure_, Ending::abort);
    if (source.input_ended) return close(*failure_, Ending::deliver);
    if (!source.receive_op.in_flight)
      source.arm_receive(context_.buffers, context_.ring);  // read a reset socket to its end
    return;
  }
  if (sink.broken || sink.fin_sent) return;
  if (const int result = sink.finish(context_.kernel, context_.buffers); result < 0) {
    sink.dead = sink.broken = true;
    return fail(other(from), result == -EPROTO ? garbled(other(from)) : lost(other(from), result));
  }
  sink.arm_send(context_.ring);
  if (planted(Planted::full_close) && sink.fin_sent)
    return close(CloseReason::finished, Ending::clean);
  if (front_.fin_sent && back_.fin_sent) close(CloseReason::finished, Ending::clean);
}

/// Why a session ends whose TLS stream of `side` cannot be gone on with.
Session::CloseReason Session::garbled(Side side) noexcept {
  return side == Side::front ? CloseReason::tls_error : CloseReason::backend_tls_error;
}

/// Why a session ends whose socket of `side` gave `result`, which killed it.
Session::CloseReason Session::lost(Side side, int result) noexcept {
  const bool front = side == Side::front;
  if (io::fate_of(result) == io::Fate::timed_out)
    return front ? CloseReason::client_timeout : CloseReason::backend_timeout;
  return front ? CloseReason::client_reset : CloseReason::backend_reset;
}

/// The leg of `side` broke. What was received from it is still delivered; what was meant for it is
/// dropped.
void Session::fail(Side side, CloseReason reason) {
  wire::Leg& lost = leg(side);
  PENSTOCK_ASSERT(lost.broken);
  // Both streams have been handed on; only our own end of stream did not reach a peer that is
  // through.
  if ((lost.notify_sent || lost.fin_sent) && leg(other(side)).fin_sent && !failure_) {
    return close(CloseReason::finished, Ending::clean);
  }
  if (!failure_) {
    failure_ = reason;
    (void)acknowledges();  // from here on
    last_activity_ = context_.now;
    wake_at(context_.now + delivery_look);
  }
  pump(other(side));
  pump(side);
}

/// The timer of the relaying phase. It is moved only when it fires, not at every byte.
void Session::on_quiet() {
  // A slow reader may take longer to make enough room for the socket to be writable.
  if (failure_ && acknowledges()) last_activity_ = context_.now;
  const Duration limit = failure_ ? delivery_patience : listener().idle_timeout;
  const Instant end = last_activity_ + limit;
  if (end > context_.now && !planted(Planted::idle_timer_blind)) {
    return wake_at(failure_ ? std::min(end, context_.now + delivery_look) : end);
  }
  close(failure_.value_or(CloseReason::idle_timeout), Ending::abort);
}

void Session::check_invariants() const {
  for (const wire::Leg* leg : {&front_, &back_}) {
    PENSTOCK_ASSERT(!leg->receive_op.in_flight || (leg->fd >= 0 && leg->incoming.empty()));
    PENSTOCK_ASSERT(!leg->busy() || leg->fd >= 0);
    PENSTOCK_ASSERT(!leg->dead || leg->broken);
    PENSTOCK_ASSERT(!leg->fin_sent || leg->flushed());
  }
  PENSTOCK_ASSERT(failure_.has_value() == (front_.broken || back_.broken) ||
                  phase_ != Phase::relaying);
  PENSTOCK_ASSERT((phase_ != Phase::preface && phase_ != Phase::ended) || back_.fd < 0);
  PENSTOCK_ASSERT(phase_ != Phase::securing || back_.engine != nullptr);
}

}  // namespace penstock::relay

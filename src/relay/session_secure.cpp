// TLS towards a backend: the handshake that follows the connect. Nothing of the client's goes out
// before it is done, so that a backend which cannot be trusted learns nothing, and a try that fails
// here is as invisible to the client as one whose connect is refused. What a backend sends before
// its handshake is part of the handshake, or its end.
#include "session.h"

namespace penstock::relay {

void Session::secure() {
  const Routing::Pool& to = pool();
  const BackendId backend = tried_[tries_ - 1U];
  const Endpoint& address = context_.routing.backends[backend.value];
  const bool by_address = to.server_name.empty() && address.is_ip();
  const tls::ClientConnect connect{.server_name = by_address ? address.bare_host() : to.server_name,
                                   .session = &context_.sessions[backend.value]};
  auto engine = tls::Engine::create_client(*back_tls(), connect);
  if (!engine) return close(CloseReason::internal_error, Ending::abort);
  back_.engine = std::move(*engine);
  phase_ = Phase::securing;
  // From the beginning of the connect; a unix backend has had none.
  if (to.connect_timeout > Duration::zero()) wake_at(try_began_ + to.connect_timeout);
  pump_secure();
}

void Session::pump_secure() {
  ListHook<Shaking>::unlink();
  const wire::Leg::Handshake state = back_.handshake(context_.buffers);
  back_.arm_send(context_.ring);
  switch (state) {
    case wire::Leg::Handshake::done:
      return relay();
    case wire::Leg::Handshake::needs_output:
      return;
    case wire::Leg::Handshake::needs_input:
      if (!back_.receive_op.in_flight) back_.arm_receive(context_.buffers, context_.ring);
      return;
    case wire::Leg::Handshake::gone:
    case wire::Leg::Handshake::failed:
      return give_up_try(CloseReason::backend_handshake_failed);
  }
}

/// Ends a try whose connect went well: the next backend is dialled once the kernel has let go of
/// the socket.
void Session::give_up_try(CloseReason reason) {
  PENSTOCK_ASSERT(phase_ == Phase::securing);
  explain_backend(reason);
  ListHook<Shaking>::unlink();
  context_.timers.cancel(timer_);
  phase_ = Phase::dialing;
  try_failure_ = reason;
  connect_cancelled_ = true;
  (void)back_.quiesce(context_.ring);
  on_dialed();
}

/// The newest session of this backend is offered to it by the next connection.
void Session::keep_session() {
  if (!back_.engine || !backend_) return;
  tls::Session fresh = back_.engine->take_session();
  if (!fresh.empty()) context_.sessions[backend_->value] = std::move(fresh);
}

}  // namespace penstock::relay

// What is told of handshakes that failed: counted by fault, and put into the supervisor's box with
// who it was and what it asked for.
#include "session.h"

namespace penstock::relay {

/// The client's handshake has failed, or was not let begin.
void Session::explain(tls::HandshakeFault fault, std::string_view cause, Alerts alerts) {
  context_.counters.listener[listener_.value]
      .handshake_faults[static_cast<std::size_t>(fault)]
      .add();
  tell({.client = client_,
        .listener = listener_,
        .backend = std::nullopt,
        .server_name = stats::FixedText<80>(front_.engine ? front_.engine->server_name() : ""),
        .cause = stats::FixedText<160>(cause),
        .alert_sent = alerts.sent,
        .alert_received = alerts.received});
}

/// The handshake with the backend that was tried last has failed, or took too long.
void Session::explain_backend(CloseReason reason) {
  const tls::Engine& engine = *back_.engine;
  const bool late = reason == CloseReason::connect_timeout;
  const std::string_view cause = late                       ? "it took longer than connect_timeout"
                                 : engine.failure().empty() ? "the connection was reset"
                                                            : std::string_view(engine.failure());
  tell({.client = client_,
        .listener = listener_,
        .backend = tried_[tries_ - 1U],
        .server_name = stats::FixedText<80>(engine.server_name()),
        .cause = stats::FixedText<160>(cause),
        .alert_sent = engine.sent_alert(),
        .alert_received = engine.alert()});
}

void Session::tell(const stats::HandshakeFailure& failure) {
  if (context_.failures == nullptr) return;
  if (context_.failures->put(failure) && context_.supervisor_event >= 0)
    context_.kernel.notify(context_.supervisor_event);
}

}  // namespace penstock::relay

// A place, an engine, the call.
#include "dialer.h"

#include <utility>

namespace penstock::load {

void DialTimes::connected(Instant now, Recorder& to) noexcept {
  connected_ = now;
  to.record(Measure::connect, connected_ - dialled_);
  ++to.count.connections;
}

void DialTimes::opened(Instant now, const tls::Engine* engine, Recorder& to) noexcept {
  if (engine == nullptr) return;
  to.record(Measure::handshake, now - connected_);
  const tls::Negotiated negotiated = engine->negotiated();
  ++(negotiated.resumed ? to.count.handshakes_resumed : to.count.handshakes_full);
  if (negotiated.hello_retried) ++to.count.hello_retries;
}

void DialTimes::failed(const Failure& failure, Recorder& to) noexcept {
  if (failure.phase != Phase::stream) ++to.count.connections_failed;
}

Dialer::Dialer(Context& context, DialerOptions options, std::unique_ptr<TlsDialer> tls)
    : context_(context), options_(std::move(options)), tls_(std::move(tls)) {}

bool Dialer::dial(User& user, void* of_user, std::uint64_t place, Connection*& into,
                  Counters& count) {
  std::unique_ptr<tls::Engine> engine;
  if (tls_) {
    auto made = tls_->next(count);
    if (!made) return false;  // no memory: what is wrong with the options was told before the run
    engine = std::move(*made);
  }
  Connection* connection = context_.make_connection(user, of_user);
  if (connection == nullptr) {
    if (engine) tls_->leave(*engine);
    return false;
  }
  DialOptions options{.target = &options_.targets[place % options_.targets.size()],
                      .socket = options_.socket,
                      .timeout = options_.timeout};
  if (options_.introduction) options.introduction = &*options_.introduction;
  if (!options_.sources.empty()) {
    options.socket.source =
        &options_.sources[place / options_.targets.size() % options_.sources.size()];
  }
  into = connection;
  connection->dial(options, std::move(engine));
  return true;
}

void Dialer::closed(Connection& connection) {
  if (connection.engine() != nullptr) tls_->leave(*connection.engine());
}

}  // namespace penstock::load

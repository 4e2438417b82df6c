// Connections from their accept to their end, and who answers on them.
#include "service.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "service_listener.h"

namespace penstock::load {
namespace {

/// A stream may begin like a preface and be none: so long after its first bytes it is taken as it
/// is. Ours come in one piece, so this is for pieces that are under way.
constexpr Duration preface_patience = 200ms;

}  // namespace

class Service::Listener final : public ServiceListener {
 public:
  Listener(Service& service, int fd) noexcept
      : ServiceListener(service.context_, fd, service.count_.accept_errors), service_(service) {}

 private:
  void accepted(int fd) override { service_.accepted(fd); }
  Service& service_;
};

void Peer::finish() {
  if (std::exchange(finishing, true)) return;
  connection.wake_at(around.context.now + around.options.linger);
  connection.want_input(true);
  connection.finish();
}

void Peer::reset() {
  broken = true;
  connection.close(Ending::reset);
}

void Peer::reset(stats::Counter& counter) {
  counter.add();
  reset();
}

Service::Service(Context& context, ServiceOptions options, std::span<const int> listeners,
                 tls::Context* tls)
    : context_(context),
      options_(std::move(options)),
      tls_(tls),
      around_{.context = context_, .options = options_, .count = count_, .delays = delays_} {
  PENSTOCK_ASSERT(options_.message_size > 0 && options_.message_size <= largest_message);
  for (const int fd : listeners) listeners_.push_back(std::make_unique<Listener>(*this, fd));
}

Service::~Service() { PENSTOCK_ASSERT(clients_.empty()); }

void Service::prepare() {
  for (const auto& listener : listeners_) listener->start();
}

void Service::tick() {
  while (Responder* responder = delays_.take_due(context_.now)) responder->due();
}

void Service::stop() {
  around_.stopping = true;
  for (const auto& listener : listeners_) listener->stop();
  for (Client& each : clients_) {
    if (each.responder && each.peer.connection.open()) each.responder->stop();
  }
}

void Service::abandon() {
  for (const auto& listener : listeners_) listener->abandon();
  for (Client& each : clients_) {
    if (!each.peer.connection.closing()) each.peer.reset(count_.abandoned);
  }
}

bool Service::done() const noexcept {
  const auto released = [](const auto& listener) { return listener->released(); };
  return clients_.empty() && std::ranges::all_of(listeners_, released);
}

void Service::accepted(int fd) {
  count_.accepted.add();
  std::unique_ptr<tls::Engine> engine;
  if (tls_ != nullptr) {
    if (auto made = tls::Engine::create_server(*tls_)) engine = std::move(*made);
  }
  Connection* connection = nullptr;
  if (engine || tls_ == nullptr) connection = context_.make_connection(*this, nullptr);
  if (connection == nullptr) {
    context_.kernel.close_with_reset(fd);
    count_.refused.add();
    return count_.lost.add();
  }
  clients_.push_front(
      {.peer = {.around = around_, .connection = *connection, .number = number_++}});
  Client& client = clients_.front();
  client.self = clients_.begin();
  connection->of_user = &client;
  if (options_.kind != ServiceKind::echo) client.responder = make_responder(client.peer, {});
  connection->adopt(fd, std::move(engine), options_.handshake_timeout);
}

void Service::on_open(Connection& connection) {
  Client& client = this->client(connection);
  if (connection.engine() != nullptr) count_.handshakes.add();
  if (!client.responder) return;
  client.responder->opened();
  if (around_.stopping && connection.open()) client.responder->stop();
}

std::size_t Service::produce(Connection& connection, std::span<std::byte> to) {
  Client& client = this->client(connection);
  if (!client.responder || client.peer.finishing) return 0;
  const std::size_t size = client.responder->produce(to);
  count_.bytes_out.add(size);
  return size;
}

void Service::consume(Connection& connection, std::span<const std::byte> bytes) {
  Client& client = this->client(connection);
  count_.bytes_in.add(bytes.size());
  if (client.responder) return client.responder->consume(bytes);
  decide(client, bytes);
}

/// Looks for a preface, which may come in pieces.
void Service::decide(Client& client, std::span<const std::byte> bytes) {
  const auto missing = std::span(client.begin).subspan(client.begin_size);
  const std::size_t part = std::min(missing.size(), bytes.size());
  std::ranges::copy(bytes.first(part), missing.begin());
  const auto begin = std::span<const std::byte>(client.begin).first(client.begin_size + part);
  if (!Preface::may_begin(begin)) {
    become_echo(client);
    return client.responder->consume(bytes);
  }
  client.begin_size += part;
  if (client.begin_size < Preface::size) {
    return client.peer.connection.wake_at(context_.now + preface_patience);
  }
  client.peer.connection.wake_never();
  const auto preface = Preface::decode(client.begin);
  if (preface) client.responder = make_prefaced(client.peer, *preface);
  if (!client.responder) return client.peer.reset(count_.bad_requests);
  if (around_.stopping) client.responder->stop();
  if (bytes.size() > part) client.responder->consume(bytes.subspan(part));
}

/// What came before is echoed as well.
void Service::become_echo(Client& client) {
  client.peer.connection.wake_never();
  client.responder = make_responder(client.peer, std::span(client.begin).first(client.begin_size));
}

void Service::on_end(Connection& connection) {
  Client& client = this->client(connection);
  client.peer.ended = true;
  if (client.peer.finishing) return;
  if (!client.responder) become_echo(client);
  client.responder->ended();
}

void Service::on_failure(Connection& connection, const Failure& failure) {
  client(connection).peer.broken = true;
  if (failure.phase == Phase::handshake) return count_.handshakes_failed.add();
  switch (failure.cause) {
    case Failure::Cause::system:
      return count_.resets.add();
    case Failure::Cause::ended:
      return count_.truncated.add();
    case Failure::Cause::protocol:
      return count_.tls_errors.add();
    case Failure::Cause::timed_out:
      break;
  }
}

void Service::on_wake(Connection& connection) {
  Client& client = this->client(connection);
  if (client.peer.finishing) return client.peer.reset(count_.lingered);
  if (client.responder) return client.responder->due();
  become_echo(client);
  connection.flush();
}

void Service::on_closed(Connection& connection) {
  const Client& client = this->client(connection);
  (client.peer.broken ? count_.lost : count_.closed).add();
  clients_.erase(client.self);
}

}  // namespace penstock::load

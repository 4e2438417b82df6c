// Who listens where, and how a connection comes about.
#include "network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "penstock/base/assert.h"

namespace penstock::sim {
namespace {

/// Linux with its defaults: a SYN is repeated after 1, 2, 4, … seconds, six times.
constexpr int syn_tries = 7;

}  // namespace

Listener& Network::listen(const Endpoint& at, std::size_t backlog,
                          std::function<void(Stream&)> on_queued) {
  listeners_.push_back(std::make_unique<Listener>());
  Listener& listener = *listeners_.back();
  listener.at = at;
  listener.backlog = backlog;
  listener.on_queued = std::move(on_queued);
  return listener;
}

void Network::close_listener(Listener& listener) {
  PENSTOCK_ASSERT(listener.open);
  listener.open = false;
  for (Stream* stream : std::exchange(listener.queue, {})) stream->abort();
}

void Network::set_answer(const Endpoint& at, Answer answer) {
  std::erase_if(answers_, [&](const Reply& reply) { return reply.at == at; });
  answers_.push_back({at, answer});
}

std::shared_ptr<Dial> Network::dial(const Endpoint& from, const Endpoint& to,
                                    std::function<void(Dial&)> on_done) {
  auto dial = std::make_shared<Dial>();
  dial->from = from;
  dial->to = to;
  dial->on_done = std::move(on_done);
  timeline_.after(latency(), [this, dial] { syn_arrives(dial); });
  return dial;
}

void Network::abandon(Dial& dial) {
  dial.abandoned = true;
  // Whether the server saw a connection or not, it is over.
  if (Stream* stream = std::exchange(dial.stream, nullptr)) stream->abort();
}

std::pair<Stream*, int> Network::connect_unix(const Endpoint& to) {
  Listener* listener = listener_at(to);
  if (listener == nullptr) return {nullptr, -ECONNREFUSED};
  if (listener->queue.size() > listener->backlog) return {nullptr, -EAGAIN};
  const sockaddr nameless{.sa_family = AF_UNIX, .sa_data = {}};
  const auto [client, server] = pair(Endpoint::from(&nameless, sizeof(nameless.sa_family)), to);
  enqueue(*listener, *server);
  return {client, 0};
}

/// Several listeners at one address share it, as with SO_REUSEPORT.
Listener* Network::listener_at(const Endpoint& at) {
  std::vector<Listener*> there;
  for (const auto& listener : listeners_) {
    if (listener->open && listener->at == at) there.push_back(listener.get());
  }
  return there.empty() ? nullptr : there[random_.below(there.size())];
}

Answer Network::answer_at(const Endpoint& at) const {
  const auto reply = std::ranges::find(answers_, at, &Reply::at);
  return reply == answers_.end() ? Answer::refuses : reply->answer;
}

std::pair<Stream*, Stream*> Network::pair(const Endpoint& client, const Endpoint& server) {
  streams_.push_back(std::make_unique<Stream>(*this, client, server));
  Stream* mine = streams_.back().get();
  streams_.push_back(std::make_unique<Stream>(*this, server, client));
  Stream* theirs = streams_.back().get();
  mine->peer_ = theirs;
  theirs->peer_ = mine;
  return {mine, theirs};
}

void Network::enqueue(Listener& listener, Stream& stream) {
  if (listener.on_queued) {
    timeline_.after(Duration::zero(), [&listener, &stream] { listener.on_queued(stream); });
  } else {
    listener.queue.push_back(&stream);
  }
}

void Network::syn_arrives(const std::shared_ptr<Dial>& dial) {
  if (dial->abandoned) return;
  ++dial->tries;
  Listener* listener = listener_at(dial->to);
  if (listener != nullptr && !listener->dropping && listener->queue.size() < listener->backlog) {
    const auto [client, server] = pair(dial->from, dial->to);
    dial->stream = client;
    enqueue(*listener, *server);
    return finish(dial, 0, latency());
  }
  const Answer answer = listener != nullptr ? Answer::silent : answer_at(dial->to);
  if (answer == Answer::refuses) return finish(dial, -ECONNREFUSED, latency());
  if (answer == Answer::host_unreachable) return finish(dial, -EHOSTUNREACH, latency());
  if (answer == Answer::network_unreachable) return finish(dial, -ENETUNREACH, Duration::zero());
  const Duration patience = std::chrono::seconds(1 << (dial->tries - 1));
  if (dial->tries == syn_tries) return finish(dial, -ETIMEDOUT, patience);
  timeline_.after(patience, [this, dial] { syn_arrives(dial); });
}

void Network::finish(const std::shared_ptr<Dial>& dial, int result, Duration delay) {
  timeline_.after(delay, [dial, result] {
    if (dial->abandoned) return;
    dial->done = true;
    dial->result = result;
    if (dial->on_done) dial->on_done(*dial);
  });
}

}  // namespace penstock::sim

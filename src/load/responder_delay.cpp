// Arrival, delay, departure.
#include "responder_delay.h"

#include <algorithm>

namespace penstock::load {

Responder* DelayQueue::take_due(Instant now) {
  if (next() > now) return nullptr;
  Responder* first = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  return first;
}

DelayResponder::DelayResponder(Peer& its_peer) noexcept
    : Responder(its_peer), random_(scramble(peer.around.options.seed ^ scramble(peer.number))) {}

DelayResponder::~DelayResponder() {
  if (waits_for_ != never) peer.around.delays.remove(waits_for_, *this);
}

Duration DelayResponder::draw() noexcept {
  const DelayOptions& delay = peer.around.options.delay;
  switch (delay.kind) {
    case DelayOptions::Kind::fixed:
      break;
    case DelayOptions::Kind::two_point:
      return random_.unit() < delay.share ? delay.other : delay.usual;
    case DelayOptions::Kind::exponential:
      return Duration(static_cast<Duration::rep>(static_cast<double>(delay.usual.count()) *
                                                 random_.exponential()));
  }
  return delay.usual;
}

void DelayResponder::consume(std::span<const std::byte> bytes) {
  const std::size_t size = peer.around.options.message_size;
  const Instant now = peer.around.context.kernel.now();
  incomplete_ += bytes.size();
  for (; incomplete_ >= size; incomplete_ -= size) {
    const Instant before = messages_.empty() ? now : messages_.back().due;
    messages_.push_back({.arrived = now, .due = std::max(before, now + draw())});
    peer.around.count.requests.add();
  }
  backlog_.push(peer.connection.keep_input());
  if (backlog_.full() && backlog_.size() > incomplete_) peer.connection.want_input(false);
  wait();
}

/// Asks to be called when the first message is due. While the socket takes nothing nobody is asked:
/// the connection calls produce() when it does again.
void DelayResponder::wait() {
  if (messages_.empty() || waits_for_ != never) return;
  waits_for_ = messages_.front().due;
  peer.around.delays.add(waits_for_, *this);
}

void DelayResponder::due() {
  waits_for_ = never;
  peer.connection.flush();
}

std::size_t DelayResponder::produce(std::span<std::byte> to) {
  const Instant now = peer.around.context.kernel.now();
  for (; !messages_.empty() && messages_.front().due <= now; messages_.pop_front()) {
    peer.around.delays.taken(now - messages_.front().arrived);
    sendable_ += peer.around.options.message_size;
  }
  const std::size_t size = backlog_.take(to.first(std::min(to.size(), sendable_)));
  sendable_ -= size;
  if (!backlog_.full() || backlog_.size() <= incomplete_) peer.connection.want_input(true);
  if (peer.ended && messages_.empty() && sendable_ == 0) peer.finish();
  wait();
  return size;
}

void DelayResponder::ended() {
  if (messages_.empty() && sendable_ == 0) peer.finish();
}

}  // namespace penstock::load

// Accepting, pausing, parking and draining. While anybody is parked, accepting is off and the timer
// runs, since room may be made by another shard, which tells nobody. resume() is the only place
// that turns it on again.
#include "acceptor.h"

#include <cerrno>

#include "penstock/base/planted.h"
#include "penstock/io/fate.h"

namespace penstock::relay {
namespace {

constexpr Duration room_pause = 20ms;  ///< between looks whether another shard has made room
constexpr std::size_t parked_limit =
    4096;  ///< what a multishot accept may bring before its cancel takes effect

}  // namespace

Acceptor::Acceptor(Context& context, Slab<Session>& sessions,
                   const std::vector<LentListener>& listeners, Options options)
    : context_(context), sessions_(sessions), options_(options), neighbor_(options.shard.value) {
  if (options_.inboxes.size() > 1) inbox_ = options_.inboxes[options_.shard.value].get();
  for (const LentListener& lent : listeners) sockets_.push_back(std::make_unique<Socket>(lent));
  timer_.owner = this;
}

void Acceptor::start() {
  for (const auto& socket : sockets_) arm(*socket);
}

void Acceptor::arm(Socket& socket) noexcept {
  if (socket.released || socket.accept_op.in_flight || socket.cancel_op.in_flight) return;
  context_.ring.accept(socket.accept_op, socket.fd);
}

void Acceptor::on_completion(const io::Completion& completion) {
  Socket& socket = *static_cast<Socket*>(completion.op.owner);
  if (completion.op.kind == io::OpKind::accept) {
    if (completion.result >= 0) {
      accepted(socket.id, completion.result);
    } else {
      accept_failed(socket, completion.result);
    }
  }
  if (socket.cancel_op.in_flight) return;
  if (socket.accept_op.in_flight) {
    // A cancel may find the request running and leave it armed: it is tried again.
    if (paused_ && completion.op.kind == io::OpKind::cancel)
      context_.ring.cancel(socket.cancel_op, socket.accept_op);
    return;
  }
  const bool forgotten = planted(Planted::accept_not_rearmed) && completion.result >= 0;
  if (stopping_) {
    drain(socket);
  } else if (!paused_ && !forgotten) {
    arm(socket);  // a one-shot accept, or a multishot that the kernel ended
  }
}

void Acceptor::accepted(ListenerId id, int fd) {
  if (!hand_over(id, fd)) take(id, fd);
}

/// Of two shards, of which the kernel chose one by a hash of the addresses and the other is the
/// next in turn, the one with fewer sessions gets the connection.
bool Acceptor::hand_over(ListenerId id, int fd) noexcept {
  if (inbox_ == nullptr || stopping_ || paused_) return false;
  do {
    neighbor_ = (neighbor_ + 1) % options_.inboxes.size();
  } while (neighbor_ == options_.shard.value);
  Inbox& other = *options_.inboxes[neighbor_];
  const std::uint32_t load = other.load();
  if (inbox_->load() <= load + options_.even_enough + load / 8) return false;
  if (!other.offer(context_.kernel, {id, fd})) return false;
  context_.counters.handed_over.add();
  return true;
}

void Acceptor::take_handed_over() {
  if (inbox_ == nullptr || inbox_->empty()) return;  // as in nearly every turn
  Inbox::Taken taken;
  inbox_->take(context_.kernel, taken);
  for (std::size_t i = 0; i < taken.count; ++i)
    take(taken.connections[i].listener, taken.connections[i].fd);
}

void Acceptor::take(ListenerId id, int fd) {
  if (abandoned_) return refuse(id, fd, stats::CloseReason::shutdown);
  if (!parked_.empty() || !admit(id, fd)) park(id, fd);
  // Another shard may have made room in between: whoever is parked still needs the timer.
  if (!parked_.empty() || !room()) pause(room_pause);
}

void Acceptor::accept_failed(Socket&, int result) {
  if (result == -ECANCELED) return;  // paused or stopping
  if (io::left_queue(result)) return;
  context_.counters.accept_errors.add();
  if (planted(Planted::accept_spins)) return;
  pause(io::accept_pause);  // it would fail again at once
}

bool Acceptor::room() const noexcept {
  return options_.process_sessions.load(std::memory_order_relaxed) < options_.max_connections;
}

bool Acceptor::admit(ListenerId id, int fd) {
  const std::uint32_t limit =
      options_.max_connections + (planted(Planted::limit_off_by_one) ? 1 : 0);
  if (options_.process_sessions.fetch_add(1, std::memory_order_relaxed) >= limit) {
    options_.process_sessions.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  Session* session = sessions_.acquire(context_, id, fd);
  PENSTOCK_ASSERT(session != nullptr);  // the slab has room for max_connections
  if (inbox_ != nullptr) inbox_->add_load();
  session->begin();
  return true;
}

void Acceptor::session_ended() noexcept {
  options_.process_sessions.fetch_sub(1, std::memory_order_relaxed);
  if (inbox_ != nullptr) inbox_->subtract_load();
}

void Acceptor::park(ListenerId id, int fd) {
  if (parked_.size() >= parked_limit) return refuse(id, fd, stats::CloseReason::overload);
  parked_.push_back({id, fd});
  context_.counters.parked.add();
}

/// Closes a connection that never became a session, and counts it as one that ended.
void Acceptor::refuse(ListenerId id, int fd, stats::CloseReason reason) {
  context_.kernel.close_with_reset(fd);
  stats::ListenerCounters& counters = context_.counters.listener[id.value];
  counters.accepted.add();
  counters.closed[static_cast<std::size_t>(reason)].add();
}

void Acceptor::pause(Duration at_least) {
  look_again(at_least);
  if (paused_) return;
  paused_ = true;
  for (const auto& socket : sockets_) {
    if (socket->accept_op.in_flight && !socket->cancel_op.in_flight) {
      context_.ring.cancel(socket->cancel_op, socket->accept_op);
    }
  }
}

/// Makes resume() come after the pause, if nothing brings it earlier.
void Acceptor::look_again(Duration pause) {
  if (!timer_.scheduled()) context_.timers.schedule(timer_, context_.now + pause);
}

void Acceptor::serve_parked() {
  while (!parked_.empty() && room() && !planted(Planted::parked_forgotten)) {
    const Parked next = parked_.front();
    if (!admit(next.id, next.fd)) break;
    parked_.pop_front();
    context_.counters.parked.subtract();
  }
}

void Acceptor::resume() {
  serve_parked();
  if (!paused_ && !stopping_) return;
  if (!parked_.empty() || !room()) {
    if (!released() || !parked_.empty()) look_again(room_pause);
    return;
  }
  if (stopping_) {
    for (const auto& socket : sockets_) drain(*socket);
    return;
  }
  paused_ = false;
  context_.timers.cancel(timer_);
  for (const auto& socket : sockets_) arm(*socket);
}

void Acceptor::stop() {
  if (stopping_) return;
  pause(Duration::zero());
  stopping_ = true;
  for (const auto& socket : sockets_) drain(*socket);
}

void Acceptor::abandon() {
  stop();
  abandoned_ = true;
  for (; !parked_.empty(); parked_.pop_front()) {
    refuse(parked_.front().id, parked_.front().fd, stats::CloseReason::shutdown);
    context_.counters.parked.subtract();
  }
  for (const auto& socket : sockets_) drain(*socket);
}

bool Acceptor::released() const noexcept {
  if (!stopping_) return false;
  for (const auto& socket : sockets_) {
    if (!socket->released || socket->accept_op.in_flight || socket->cancel_op.in_flight)
      return false;
  }
  return true;
}

/// Serves what is queued on a listener whose accept has been cancelled, as far as there is room,
/// then lets go of it.
void Acceptor::drain(Socket& socket) {
  if (socket.released || socket.accept_op.in_flight || socket.cancel_op.in_flight) return;
  while (!abandoned_ && parked_.empty() && room()) {
    const int fd =
        planted(Planted::accept_queue_dropped) ? -EAGAIN : context_.kernel.accept_now(socket.fd);
    if (fd >= 0) {
      accepted(socket.id, fd);
    } else if (fd == -EAGAIN) {
      socket.released = true;
      return;
    } else if (!io::left_queue(fd)) {
      context_.counters.accept_errors.add();
      return look_again(io::accept_pause);
    }
  }
  if (abandoned_) {
    socket.released = true;
  } else {
    look_again(room_pause);
  }
}

}  // namespace penstock::relay

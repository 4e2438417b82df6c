// Rings, time, and the direct calls.
#include "sim_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "allocations.h"
#include "penstock/base/assert.h"
#include "sim_parts.h"

namespace penstock::sim {

SimKernel::SimKernel(const Random& random, const Wire& wire, const Faults& faults)
    : random_(random), network_(timeline_, random_, wire), faults_(faults) {}

SimKernel::~SimKernel() { PENSTOCK_ASSERT(queues_.empty()); }

Result<void> SimKernel::open_ring(io_uring& ring, const io::RingOptions& options) {
  auto queue = std::make_unique<Queue>();
  queue->ring = &ring;
  queue->sqes.resize(options.submission_entries);
  const std::uint32_t most = faults_.completion_entries;
  const std::uint32_t completion_entries =
      most > 0 ? std::min(most, options.completion_entries) : options.completion_entries;
  queue->cqes.resize(completion_entries);
  ring = {};
  ring.sq.khead = &queue->sq_head;
  ring.sq.ktail = &queue->sq_tail;
  ring.sq.sqes = queue->sqes.data();
  ring.sq.ring_entries = options.submission_entries;
  ring.sq.ring_mask = options.submission_entries - 1;
  ring.cq.khead = &queue->cq_head;
  ring.cq.ktail = &queue->cq_tail;
  ring.cq.cqes = queue->cqes.data();
  ring.cq.ring_entries = completion_entries;
  ring.cq.ring_mask = completion_entries - 1;
  queues_.push_back(std::move(queue));
  return {};
}

void SimKernel::close_ring(io_uring& ring) noexcept {
  const Queue& queue = queue_of(ring);
  PENSTOCK_ASSERT(queue.pending.empty());
  PENSTOCK_ASSERT(!queue.has_completions());
  PENSTOCK_ASSERT(queue.groups.empty());
  std::erase_if(queues_, [&](const auto& each) { return each.get() == &queue; });
}

Result<io_uring_buf_ring*> SimKernel::open_buffer_ring(io_uring& ring, std::uint32_t entries,
                                                       std::uint16_t group) {
  Queue& queue = queue_of(ring);
  PENSTOCK_ASSERT(entries != 0 && entries <= 32768 && (entries & (entries - 1)) == 0);
  PENSTOCK_ASSERT(!queue.groups.contains(group));
  BufferGroup& made = queue.groups[group];
  made.entries = entries;
  made.memory = std::make_unique<io_uring_buf[]>(entries);
  return &made.ring();
}

void SimKernel::close_buffer_ring(io_uring& ring, io_uring_buf_ring* buffers, std::uint32_t entries,
                                  std::uint16_t group) noexcept {
  Queue& queue = queue_of(ring);
  const auto known = queue.groups.find(group);
  PENSTOCK_ASSERT(known != queue.groups.end());
  PENSTOCK_ASSERT(known->second.entries == entries && &known->second.ring() == buffers);
  queue.groups.erase(known);
}

int SimKernel::enter(io_uring& ring, std::uint32_t wait_for, Instant until) noexcept {
  const Uncounted here;
  Queue& queue = queue_of(ring);
  queue.wakes_at = Instant::min();
  submit(queue);
  flush_overflow(queue);
  const Instant resumed = now() + random_.duration(Duration::zero(), faults_.turn_cost_max);
  while (timeline_.run_one(resumed)) {
  }
  timeline_.advance_to(resumed);
  progress(queue, faults_.postpone);
  if (random_.chance(faults_.spurious_wakeup)) return 0;
  while (wait_for > 0 && !queue.has_completions()) {
    if (progress(queue, 0)) continue;
    if (!let_time_pass(queue, until)) {
      queue.wakes_at = until;
      break;
    }
  }
  return 0;
}

/// False when the ring has to return: its deadline has come, or another ring can go on.
bool SimKernel::let_time_pass(const Queue& mine, Instant until) {
  Instant limit = until;
  for (const auto& other : queues_) {
    if (other.get() == &mine) continue;
    if (other->has_completions() || can_complete_any(*other)) return false;
    limit = std::min(limit, other->wakes_at);
  }
  if (limit <= now()) return false;
  if (timeline_.run_one(limit)) return true;
  if (limit != never) timeline_.advance_to(limit);
  return false;
}

void SimKernel::run_for(Duration time) {
  const Instant until = now() + time;
  while (timeline_.run_one(until)) {
  }
  timeline_.advance_to(until);
}

SimKernel::Queue& SimKernel::queue_of(const io_uring& ring) noexcept {
  const auto found =
      std::ranges::find_if(queues_, [&](const auto& queue) { return queue->ring == &ring; });
  PENSTOCK_ASSERT(found != queues_.end());
  return **found;
}

SimKernel::Socket& SimKernel::socket_at(int fd) noexcept {
  const auto found = sockets_.find(fd);
  PENSTOCK_ASSERT(found != sockets_.end());  // EBADF: never opened, or closed already
  return *found->second;
}

/// The lowest free number, as Linux gives: a stale one soon means somebody else's socket.
int SimKernel::add(std::shared_ptr<Socket> socket) {
  int fd = first_fd;
  for (const auto& [used, any] : sockets_) {
    if (used != fd) break;
    ++fd;
  }
  sockets_.emplace(fd, std::move(socket));
  return fd;
}

/// Takes a descriptor away, once nothing is in flight on it.
std::shared_ptr<SimKernel::Socket> SimKernel::remove(int fd) {
  const auto found = sockets_.find(fd);
  PENSTOCK_ASSERT(found != sockets_.end());  // closed twice
  for (const auto& queue : queues_) {
    for (const Request& request : queue->pending) {
      PENSTOCK_ASSERT(request.socket != found->second);  // closed with something in flight
    }
    for (unsigned i = queue->sq_head; i != queue->ring->sq.sqe_tail; ++i) {
      PENSTOCK_ASSERT(queue->sqes[i & queue->ring->sq.ring_mask].fd != fd);  // about to be
    }
  }
  auto socket = std::move(found->second);
  sockets_.erase(found);
  return socket;
}

int SimKernel::open_socket(const Endpoint& peer, const ConnectionOptions& /*options*/) noexcept {
  const Uncounted here;
  PENSTOCK_ASSERT(peer.is_unix() || peer.is_ip());
  if (random_.chance(faults_.open_socket_fails)) {
    return random_.chance(0.7) ? -EMFILE : -EAFNOSUPPORT;
  }
  return add(std::make_shared<Socket>());
}

int SimKernel::connect_now(int fd, const Endpoint& peer) noexcept {
  const Uncounted here;
  PENSTOCK_ASSERT(peer.is_unix());
  Socket& socket = socket_at(fd);
  PENSTOCK_ASSERT(socket.stream == nullptr);
  const auto [stream, result] = network_.connect_unix(peer);
  socket.stream = stream;
  return result;
}

int SimKernel::accept_now(int listener_fd) noexcept {
  const Uncounted here;
  Socket& socket = socket_at(listener_fd);
  PENSTOCK_ASSERT(socket.listener != nullptr);
  return accept_from(socket);
}

/// A descriptor or -errno.
int SimKernel::accept_from(Socket& listener) {
  auto& queue = listener.listener->queue;
  if (queue.empty()) return -EAGAIN;
  if (random_.chance(faults_.accept_out_of_files)) return random_.chance(0.5) ? -EMFILE : -ENFILE;
  Stream* stream = queue.front();
  queue.pop_front();
  if (random_.chance(faults_.accept_aborted)) {
    stream->abort();
    return -ECONNABORTED;
  }
  auto socket = std::make_shared<Socket>();
  socket->stream = stream;
  return add(std::move(socket));
}

Endpoint SimKernel::peer_of(int fd) noexcept {
  const Uncounted here;
  const Socket& socket = socket_at(fd);
  if (socket.stream == nullptr || socket.stream->dead()) return {};
  return socket.stream->remote();
}

int SimKernel::shutdown_write(int fd) noexcept {
  const Uncounted here;
  Socket& socket = socket_at(fd);
  const int result = socket.stream == nullptr ? -ENOTCONN : socket.stream->shut_write();
  print("shutdown_write", fd, result);
  return result;
}

std::size_t SimKernel::unacknowledged(int fd) noexcept {
  const Uncounted here;
  const Socket& socket = socket_at(fd);
  return socket.stream == nullptr ? 0 : socket.stream->unacknowledged();
}

void SimKernel::close(int fd) noexcept {
  const Uncounted here;
  print("close", fd, 0);
  const auto socket = remove(fd);
  if (socket->stream != nullptr) return socket->stream->close();
  if (socket->dial != nullptr) return network_.abandon(*socket->dial);
  if (socket->listener != nullptr) network_.close_listener(*socket->listener);
}

void SimKernel::close_with_reset(int fd) noexcept {
  const Uncounted here;
  print("close_with_reset", fd, 0);
  const auto socket = remove(fd);
  PENSTOCK_ASSERT(socket->listener == nullptr && !socket->is_event);
  if (socket->stream != nullptr) return socket->stream->abort();
  if (socket->dial != nullptr) network_.abandon(*socket->dial);
}

void SimKernel::print(const char* call, int fd, int result) const {
  if (!traced_) return;
  fmt::print("{} fd {}: {} -> {}\n", timeline_.now().time_since_epoch() / 1us, fd - first_fd, call,
             result);
}

Result<int> SimKernel::open_event() {
  auto socket = std::make_shared<Socket>();
  socket->is_event = true;
  return add(std::move(socket));
}

void SimKernel::notify(int event_fd) noexcept {
  const Uncounted here;
  Socket& socket = socket_at(event_fd);
  PENSTOCK_ASSERT(socket.is_event);
  ++socket.event_count;
}

int SimKernel::listen(const Endpoint& at, std::size_t backlog) {
  auto socket = std::make_shared<Socket>();
  socket->listener = &network_.listen(at, backlog);
  return add(std::move(socket));
}

void SimKernel::drop_new_connections(int listener_fd) {
  socket_at(listener_fd).listener->dropping = true;
}

std::size_t SimKernel::queued(int listener_fd) {
  return socket_at(listener_fd).listener->queue.size();
}

}  // namespace penstock::sim

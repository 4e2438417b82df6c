// What becomes of each SQE. Results and flags are those of Linux's io_uring/net.c, poll.c and
// cancel.c; where it has a choice, the seed chooses.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "penstock/base/assert.h"
#include "sim_kernel.h"
#include "sim_parts.h"

namespace penstock::sim {
namespace {

/// What posted buffers are filled with. Whoever writes to one that is not his changes it.
constexpr auto poison = std::byte{0xdb};

std::byte* address_of(std::uint64_t address) noexcept {
  return reinterpret_cast<std::byte*>(address);
}

Asked read(const io_uring_sqe& sqe) noexcept {
  return {.opcode = sqe.opcode,
          .flags = sqe.flags,
          .ioprio = sqe.ioprio,
          .fd = sqe.fd,
          .offset = sqe.off,
          .address = sqe.addr,
          .length = sqe.len,
          .op_flags = sqe.msg_flags,
          .user_data = sqe.user_data,
          .buffer_group = sqe.buf_group};
}

bool chooses_buffer(const Asked& asked) noexcept {
  return (asked.flags & IOSQE_BUFFER_SELECT) != 0;
}

bool cancels_one(const Asked& asked) noexcept {
  return asked.opcode == IORING_OP_ASYNC_CANCEL && asked.op_flags == 0;
}

/// A poll for something to read, once.
bool reads(const Asked& asked) noexcept {
  return asked.opcode == IORING_OP_POLL_ADD && asked.op_flags == POLLIN && asked.length == 0;
}

bool overlap(const std::byte* a, std::size_t a_size, const std::byte* b,
             std::size_t b_size) noexcept {
  return a < b + b_size && b < a + a_size;
}

}  // namespace

bool SimKernel::BufferGroup::overlaps(const std::byte* begin, std::size_t size) const noexcept {
  const auto next = posted.lower_bound(begin);
  if (next != posted.end() && next->first < begin + size) return true;
  if (next == posted.begin()) return false;
  const auto& [address, before] = *std::prev(next);
  return address + before.size > begin;
}

void SimKernel::submit(Queue& queue) {
  io_uring_sq& sq = queue.ring->sq;
  for (auto& [id, group] : queue.groups) absorb_posted(queue, group);
  while (queue.sq_head != sq.sqe_tail) {
    Request request;
    request.asked = read(queue.sqes[queue.sq_head++ & sq.ring_mask]);
    const Asked& asked = request.asked;
    PENSTOCK_ASSERT(asked.user_data != 0);
    PENSTOCK_ASSERT((asked.flags & ~IOSQE_BUFFER_SELECT) == 0);
    if (cancels_one(asked)) {
      if (traced_) print(queue, request, nullptr);
      start_cancel_of_one(queue, request);
      queue.pending.push_back(std::move(request));
      continue;
    }
    const auto known = sockets_.find(asked.fd);
    PENSTOCK_ASSERT(known != sockets_.end());  // EBADF
    request.socket = known->second;
    if (traced_) print(queue, request, nullptr);
    check_duties(queue, request);
    if (asked.opcode == IORING_OP_CONNECT) start_connect(request);
    if (asked.opcode == IORING_OP_RECV) start_receive(queue, request);
    if (asked.opcode == IORING_OP_SEND) start_send(queue, request);
    if (asked.opcode == IORING_OP_ASYNC_CANCEL) start_cancel(queue, request);
    queue.pending.push_back(std::move(request));
  }
  sq.sqe_head = queue.sq_head;
  queue.sq_tail = queue.sq_head;
}

/// What every submission owes: a kind that we know on a socket that it fits, one at a time.
void SimKernel::check_duties(const Queue& queue, const Request& request) const {
  const Asked& asked = request.asked;
  const Socket& socket = *request.socket;
  for (const auto& other : queues_) {
    for (const Request& earlier : other->pending) {
      const bool same_ring = other.get() == &queue;
      PENSTOCK_ASSERT(!same_ring || earlier.asked.user_data != asked.user_data);
      // Shards may share a unix listener; nothing else may be asked for twice.
      const bool may_repeat = asked.opcode == IORING_OP_ACCEPT && !same_ring;
      const bool same = earlier.asked.opcode == asked.opcode &&
                        (asked.opcode != IORING_OP_POLL_ADD ||
                         earlier.asked.op_flags == asked.op_flags);  // to read, and to write
      PENSTOCK_ASSERT(may_repeat || earlier.socket != request.socket || !same);
    }
  }
  switch (asked.opcode) {
    case IORING_OP_ACCEPT:
      PENSTOCK_ASSERT(socket.listener != nullptr);
      PENSTOCK_ASSERT(asked.op_flags == SOCK_CLOEXEC);
      break;
    case IORING_OP_CONNECT:
      PENSTOCK_ASSERT(socket.listener == nullptr && !socket.is_event);
      PENSTOCK_ASSERT(socket.stream == nullptr && socket.dial == nullptr);
      break;
    case IORING_OP_RECV:
    case IORING_OP_SEND:
      PENSTOCK_ASSERT(socket.stream != nullptr);
      PENSTOCK_ASSERT(asked.length > 0);
      break;
    case IORING_OP_POLL_ADD:
      PENSTOCK_ASSERT(socket.stream != nullptr);
      PENSTOCK_ASSERT(reads(asked) ||
                      (asked.op_flags == POLLOUT && asked.length == IORING_POLL_ADD_MULTI));
      break;
    case IORING_OP_READ:
      PENSTOCK_ASSERT(socket.is_event && asked.length == sizeof(std::uint64_t));
      break;
    case IORING_OP_ASYNC_CANCEL:
      PENSTOCK_ASSERT(asked.op_flags == (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD));
      break;
    default:
      PENSTOCK_UNREACHABLE("an operation that the simulator does not know");
  }
}

void SimKernel::start_connect(Request& request) {
  request.peer = Endpoint::from(reinterpret_cast<const sockaddr*>(request.asked.address),
                                static_cast<socklen_t>(request.asked.offset));
  PENSTOCK_ASSERT(request.peer.is_ip());  // unix sockets would block a worker thread
  if (random_.chance(faults_.no_local_port)) {
    request.fixed = -EADDRNOTAVAIL;
    return;
  }
  request.socket->dial = network_.dial(Endpoint(), request.peer);
}

/// Without poll-first the socket is asked at once, and a buffer chosen before there is anything to
/// put into it.
void SimKernel::start_receive(const Queue& queue, Request& request) {
  const bool polls_first = (request.asked.ioprio & IORING_RECVSEND_POLL_FIRST) != 0;
  request.tried_at_once = !polls_first && request.socket->stream->readable();
  if (!chooses_buffer(request.asked)) return;
  const auto known = queue.groups.find(request.asked.buffer_group);
  PENSTOCK_ASSERT(known != queue.groups.end());
  if (!polls_first && known->second.posted.empty()) request.fixed = -ENOBUFS;
}

/// What is sent may not be posted for receiving, and may not change until it is sent.
void SimKernel::start_send(Queue& queue, Request& request) {
  const std::byte* bytes = address_of(request.asked.address);
  // A send that waits can end up on a worker thread.
  PENSTOCK_ASSERT(request.asked.op_flags == (MSG_NOSIGNAL | MSG_DONTWAIT));
  for (auto& [id, group] : queue.groups) {
    PENSTOCK_ASSERT(!group.overlaps(bytes, request.asked.length));
  }
  request.snapshot.assign(reinterpret_cast<const char*>(bytes), request.asked.length);
}

void SimKernel::start_cancel(Queue& queue, Request& request) {
  const bool late = random_.chance(faults_.late_cancel);
  int found = 0;
  for (auto it = queue.pending.begin(); it != queue.pending.end();) {
    Request& target = *it;
    const auto next = std::next(it);
    if (target.socket == request.socket && target.asked.opcode != IORING_OP_ASYNC_CANCEL) {
      if (late && !target.cancelled && can_complete(target)) {
        if (!attempt(queue, target)) queue.pending.erase(it);
      } else {
        target.cancelled = true;
        ++found;
      }
    }
    it = next;
  }
  request.fixed = found;     // IORING_ASYNC_CANCEL_ALL: 0, not -ENOENT, when there is none
  request.socket = nullptr;  // the descriptor may be closed before the cancel itself completes
}

/// The same for one request, named by its user_data.
void SimKernel::start_cancel_of_one(Queue& queue, Request& request) {
  const bool late = random_.chance(faults_.late_cancel);
  request.fixed = -ENOENT;
  for (auto it = queue.pending.begin(); it != queue.pending.end(); ++it) {
    Request& target = *it;
    if (target.asked.user_data != request.asked.address) continue;
    if (late && !target.cancelled && can_complete(target)) {
      if (!attempt(queue, target)) queue.pending.erase(it);
    } else {
      target.cancelled = true;
      request.fixed = 0;
    }
    return;
  }
}

bool SimKernel::can_complete(const Request& request) noexcept {
  if (request.cancelled || request.fixed) return true;
  const Socket& socket = *request.socket;
  switch (request.asked.opcode) {
    case IORING_OP_ACCEPT:
      return !socket.listener->queue.empty();
    case IORING_OP_CONNECT:
      return socket.dial->done;
    case IORING_OP_RECV:
      return request.tried_at_once || socket.stream->ready() ||
             (request.asked.op_flags & MSG_DONTWAIT) != 0;
    case IORING_OP_POLL_ADD:
      if (reads(request.asked)) return socket.stream->ready();
      // tells the state at first, then what wakes it up
      return (socket.stream->writable() || socket.stream->peer_ended()) &&
             (!request.told_once || socket.stream->writable_events() != request.events_seen);
    case IORING_OP_READ:
      return socket.event_count > 0;
    default:  // a send does not wait
      return true;
  }
}

bool SimKernel::can_complete_any(const Queue& queue) noexcept {
  return std::ranges::any_of(queue.pending,
                             [](const Request& request) { return can_complete(request); });
}

/// Completes what can be completed, in an order of its own; true when it completed any.
bool SimKernel::progress(Queue& queue, double postpone) {
  const std::size_t before = queue.cq_tail + queue.overflow.size();
  std::vector<std::list<Request>::iterator> order;
  for (auto it = queue.pending.begin(); it != queue.pending.end(); ++it) {
    if (can_complete(*it)) order.push_back(it);
  }
  random_.shuffle(order);
  for (const auto& it : order) {
    if (random_.chance(postpone)) continue;
    if (!attempt(queue, *it)) queue.pending.erase(it);
  }
  return queue.cq_tail + queue.overflow.size() != before;
}

bool SimKernel::attempt(Queue& queue, Request& request) {
  if (request.cancelled || request.fixed) {
    post(queue, request, {.result = request.fixed.value_or(-ECANCELED), .flags = 0});
    return false;
  }
  if (!can_complete(request)) return true;
  switch (request.asked.opcode) {
    case IORING_OP_ACCEPT:
      return attempt_accept(queue, request);
    case IORING_OP_CONNECT:
      return attempt_connect(queue, request);
    case IORING_OP_RECV:
      return attempt_receive(queue, request);
    case IORING_OP_SEND:
      return attempt_send(queue, request);
    case IORING_OP_POLL_ADD:
      return attempt_poll(queue, request);
    default:
      return attempt_read(queue, request);
  }
}

bool SimKernel::attempt_accept(Queue& queue, Request& request) {
  const bool multishot = (request.asked.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  while (!request.socket->listener->queue.empty()) {
    const int result = accept_from(*request.socket);
    // A multishot ends when its completion finds the ring full.
    const bool goes_on = multishot && result >= 0 && !queue.is_full() && queue.overflow.empty() &&
                         !random_.chance(faults_.accept_ends);
    post(queue, request, {.result = result, .flags = goes_on ? IORING_CQE_F_MORE : 0U});
    if (!goes_on) return false;
  }
  return true;
}

bool SimKernel::attempt_connect(Queue& queue, Request& request) {
  const auto dial = std::exchange(request.socket->dial, nullptr);
  if (dial->result == 0) request.socket->stream = dial->stream;
  post(queue, request, {.result = dial->result, .flags = 0});
  return false;
}

bool SimKernel::attempt_receive(Queue& queue, Request& request) {
  Stream& stream = *request.socket->stream;
  std::byte* to = address_of(request.asked.address);
  std::size_t size = request.asked.length;
  BufferGroup* group = nullptr;
  if (chooses_buffer(request.asked)) {  // before the socket is looked at: ENOBUFS hides a FIN
    group = &queue.groups.at(request.asked.buffer_group);
    if (group->head == group->seen || random_.chance(faults_.no_buffer)) {
      post(queue, request, {.result = -ENOBUFS, .flags = 0});
      return false;
    }
    const io_uring_buf& chosen = group->at(group->head);
    to = address_of(chosen.addr);
    size = std::min<std::size_t>(size, chosen.len);
    PENSTOCK_ASSERT(std::all_of(to, to + size, [](std::byte b) { return b == poison; }));
  }
  if (!stream.readable()) {  // asked not to wait
    post(queue, request, {.result = -EAGAIN, .flags = 0});
    return false;
  }
  if (random_.chance(faults_.short_receive)) size = random_.between(1, size);
  const int result = stream.receive({to, size});
  std::uint32_t flags = 0;
  if (result > 0 && group != nullptr) {
    const std::uint32_t id = group->at(group->head++).bid;
    group->posted.erase(to);
    group->posted_ids.reset(id);
    flags |= IORING_CQE_F_BUFFER | (id << IORING_CQE_BUFFER_SHIFT);
  }
  if (result > 0 && stream.has_unread()) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  post(queue, request, {.result = result, .flags = flags});
  return false;
}

bool SimKernel::attempt_send(Queue& queue, Request& request) {
  Stream& stream = *request.socket->stream;
  const std::byte* from = address_of(request.asked.address);
  std::size_t size = request.asked.length;
  PENSTOCK_ASSERT(std::memcmp(from, request.snapshot.data(), size) == 0);
  const bool cut_short = size > 1 && random_.chance(faults_.short_send);
  if (cut_short) size = random_.between(1, size - 1);
  const int result = stream.send({from, size});
  if (cut_short && result >= 0) stream.starve();
  post(queue, request, {.result = result, .flags = 0});
  return false;
}

bool SimKernel::attempt_poll(Queue& queue, Request& request) {
  if (reads(request.asked)) {
    post(queue, request, {.result = POLLIN, .flags = 0});
    return false;
  }
  request.told_once = true;
  request.events_seen = request.socket->stream->writable_events();
  const bool goes_on =
      !queue.is_full() && queue.overflow.empty() && !random_.chance(faults_.watch_ends);
  post(queue, request, {.result = POLLOUT, .flags = goes_on ? IORING_CQE_F_MORE : 0U});
  return goes_on;
}

bool SimKernel::attempt_read(Queue& queue, Request& request) {
  std::memcpy(address_of(request.asked.address), &request.socket->event_count,
              sizeof(std::uint64_t));
  request.socket->event_count = 0;
  post(queue, request, {.result = sizeof(std::uint64_t), .flags = 0});
  return false;
}

void SimKernel::print(const Queue& queue, const Request& request, const Answered* answer) const {
  constexpr std::pair<int, const char*> names[] = {
      {IORING_OP_ACCEPT, "accept"},      {IORING_OP_CONNECT, "connect"},
      {IORING_OP_RECV, "receive"},       {IORING_OP_SEND, "send"},
      {IORING_OP_POLL_ADD, "watch"},     {IORING_OP_READ, "read"},
      {IORING_OP_ASYNC_CANCEL, "cancel"}};
  const auto name =
      std::ranges::find(names, request.asked.opcode, &std::pair<int, const char*>::first);
  const auto ring =
      std::ranges::find(queues_, &queue, &std::unique_ptr<Queue>::get) - queues_.begin();
  const auto us = timeline_.now().time_since_epoch() / 1us;
  const int fd = request.asked.fd - first_fd;
  if (answer == nullptr) {
    fmt::print("{} ring {} fd {}: {} {} bytes\n", us, ring, fd, name->second, request.asked.length);
  } else {
    fmt::print("{} ring {} fd {}: {} -> {} flags {:#x}\n", us, ring, fd, name->second,
               answer->result, answer->flags);
  }
}

void SimKernel::post(Queue& queue, const Request& request, Answered answer) const {
  if (traced_) print(queue, request, &answer);
  io_uring_cqe cqe{};
  cqe.user_data = request.asked.user_data;
  cqe.res = answer.result;
  cqe.flags = answer.flags;
  queue.overflow.push_back(cqe);
  flush_overflow(queue);
}

/// IORING_FEAT_NODROP: what found the ring full is kept, and comes when there is room.
void SimKernel::flush_overflow(Queue& queue) noexcept {
  while (!queue.overflow.empty() && !queue.is_full()) {
    queue.cqes[queue.cq_tail++ & queue.ring->cq.ring_mask] = queue.overflow.front();
    queue.overflow.pop_front();
  }
}

/// Buffers that the application has posted since the last look.
void SimKernel::absorb_posted(Queue& queue, BufferGroup& group) {
  for (; group.seen != group.ring().tail; ++group.seen) {
    const io_uring_buf& entry = group.at(group.seen);
    std::byte* bytes = address_of(entry.addr);
    PENSTOCK_ASSERT(bytes != nullptr && entry.len > 0);
    PENSTOCK_ASSERT(group.posted.size() < group.entries);
    for (const auto& [id, any] : queue.groups) PENSTOCK_ASSERT(!any.overlaps(bytes, entry.len));
    PENSTOCK_ASSERT(!group.posted_ids.test(entry.bid));
    group.posted_ids.set(entry.bid);
    for (const Request& request : queue.pending) {
      const bool uses_memory =
          request.asked.opcode == IORING_OP_SEND ||
          (request.asked.opcode == IORING_OP_RECV && !chooses_buffer(request.asked));
      PENSTOCK_ASSERT(!uses_memory || !overlap(address_of(request.asked.address),
                                               request.asked.length, bytes, entry.len));
    }
    std::fill_n(bytes, entry.len, poison);
    group.posted.emplace(bytes, BufferGroup::Posted{.size = entry.len, .id = entry.bid});
  }
}

}  // namespace penstock::sim

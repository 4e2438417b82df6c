// The ring's bookkeeping: SQEs from ops, ops from CQEs.
#include "penstock/io/ring.h"

#include <liburing.h>
#include <poll.h>

#include <cerrno>

namespace penstock::io {

Result<std::unique_ptr<Ring>> Ring::open(Kernel& kernel, const RingOptions& options) {
  std::unique_ptr<Ring> ring(new Ring(kernel, options));  // NOLINT: the constructor is private
  if (auto opened = kernel.open_ring(*ring->ring_, options); !opened)
    return std::unexpected(opened.error());
  ring->opened_ = true;
  return ring;
}

Ring::Ring(Kernel& kernel, const RingOptions& options)
    : kernel_(kernel), features_(options.features), ring_(std::make_unique<io_uring>()) {}

Ring::~Ring() {
  PENSTOCK_ASSERT(in_flight_ == 0);
  if (opened_) kernel_.close_ring(*ring_);
}

io_uring_sqe* Ring::take_sqe(Op& op, OpKind kind) noexcept {
  PENSTOCK_ASSERT(!op.in_flight);
  io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
  while (sqe == nullptr) {  // the queue is full: hand it to the kernel, which consumes all of it
    PENSTOCK_ASSERT(kernel_.enter(*ring_, 0, Instant{}) == 0);
    sqe = io_uring_get_sqe(ring_.get());
  }
  op.kind = kind;
  op.in_flight = true;
  ++in_flight_;
  return sqe;
}

namespace {

void tag(io_uring_sqe& sqe, Op& op) noexcept { io_uring_sqe_set_data(&sqe, &op); }

}  // namespace

void Ring::accept(Op& op, int listener_fd) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::accept);
  if (features_.has(Feature::multishot_accept)) {
    io_uring_prep_multishot_accept(sqe, listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(sqe, listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  }
  tag(*sqe, op);
}

void Ring::connect(Op& op, int fd, const Endpoint& peer) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::connect);
  io_uring_prep_connect(sqe, fd, peer.address(), peer.length());
  tag(*sqe, op);
}

void Ring::receive(Op& op, int fd, std::uint16_t group, std::size_t size,
                   bool expect_data) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::receive);
  io_uring_prep_recv(sqe, fd, nullptr, size, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  if (!expect_data && features_.has(Feature::poll_first)) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  tag(*sqe, op);
}

void Ring::receive_into(Op& op, int fd, std::span<std::byte> to) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::receive);
  io_uring_prep_recv(sqe, fd, to.data(), to.size(), 0);
  tag(*sqe, op);
}

void Ring::receive_now(Op& op, int fd, std::span<std::byte> to) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::receive);
  io_uring_prep_recv(sqe, fd, to.data(), to.size(), MSG_DONTWAIT);
  tag(*sqe, op);
}

void Ring::send(Op& op, int fd, std::span<const std::byte> bytes) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::send);
  io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  tag(*sqe, op);
}

void Ring::wait_readable(Op& op, int fd) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::readable);
  io_uring_prep_poll_add(sqe, fd, POLLIN);
  tag(*sqe, op);
}

void Ring::watch_writable(Op& op, int fd) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::writable);
  io_uring_prep_poll_multishot(sqe, fd, POLLOUT);
  tag(*sqe, op);
}

void Ring::wait_event(Op& op, int event_fd) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::wake);
  io_uring_prep_read(sqe, event_fd, &event_value_, sizeof(event_value_), 0);
  tag(*sqe, op);
}

void Ring::cancel(Op& op, const Op& target) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::cancel);
  io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
  tag(*sqe, op);
}

void Ring::cancel_all(Op& op, int fd) noexcept {
  io_uring_sqe* sqe = take_sqe(op, OpKind::cancel);
  io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
  tag(*sqe, op);
}

bool Ring::more_coming(const Completion& completion) noexcept {
  return (completion.flags & IORING_CQE_F_MORE) != 0;
}

bool Ring::socket_nonempty(const Completion& completion) noexcept {
  return (completion.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
}

Result<void> Ring::wait(Instant until) noexcept {
  const std::uint32_t wait_for = io_uring_cq_ready(ring_.get()) > 0 ? 0 : 1;
  if (const int status = kernel_.enter(*ring_, wait_for, until); status != 0) {
    return fail_errno("io_uring_enter failed", -status);
  }
  return {};
}

std::size_t Ring::reap() noexcept {
  std::size_t count = 0;
  unsigned head = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, cqe) {
    if (count == batch_size) break;
    batch_[count++] = {cqe->user_data, cqe->res, cqe->flags};
  }
  io_uring_cq_advance(ring_.get(), static_cast<unsigned>(count));
  return count;
}

Op& Ring::settle(const Raw& raw) noexcept {
  auto* op = reinterpret_cast<Op*>(raw.user_data);
  PENSTOCK_ASSERT(op != nullptr && op->in_flight);
  if ((raw.flags & IORING_CQE_F_MORE) == 0) {
    op->in_flight = false;
    PENSTOCK_ASSERT(in_flight_ > 0);
    --in_flight_;
  }
  return *op;
}

}  // namespace penstock::io

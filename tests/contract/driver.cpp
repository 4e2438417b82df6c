// The bookkeeping of a hand-run ring.
#include "driver.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <utility>

namespace penstock::contract {
namespace {

constexpr Duration quiet_time = 20ms;

}  // namespace

Driver::Driver(World& world, const io::BufferPool::Options& buffers) : world_(world) {
  auto ring = io::Ring::open(
      world.kernel(),
      {.submission_entries = 64, .completion_entries = 256, .features = world.features()});
  REQUIRE(ring.has_value());
  ring_ = std::move(*ring);
  auto pool = io::BufferPool::create(*ring_, buffers);
  REQUIRE(pool.has_value());
  pool_ = std::move(*pool);
}

Driver::~Driver() { end_all(); }

int Driver::own(int fd) {
  REQUIRE(fd >= 0);
  owned_.push_back(fd);
  return fd;
}

void Driver::close(int fd) {
  REQUIRE(std::erase(owned_, fd) == 1);
  world_.kernel().close(fd);
}

void Driver::close_with_reset(int fd) {
  REQUIRE(std::erase(owned_, fd) == 1);
  world_.kernel().close_with_reset(fd);
}

io::Op& Driver::accept(int listener_fd) {
  io::Op& op = new_op(listener_fd);
  ring_->accept(op, listener_fd);
  return op;
}

io::Op& Driver::receive(int fd, bool expect_data) {
  io::Op& op = new_op(fd);
  pool_->receive(op, fd, io::BufferClass::small, expect_data);
  return op;
}

io::Op& Driver::receive_into(int fd, std::span<std::byte> to) {
  io::Op& op = new_op(fd);
  ring_->receive_into(op, fd, to);
  return op;
}

io::Op& Driver::receive_now(int fd, std::span<std::byte> to) {
  io::Op& op = new_op(fd);
  ring_->receive_now(op, fd, to);
  return op;
}

io::Op& Driver::send(int fd, std::string bytes) {
  sent_.push_back(std::move(bytes));
  io::Op& op = new_op(fd);
  ring_->send(op, fd, std::as_bytes(std::span(sent_.back())));
  return op;
}

io::Op& Driver::watch_writable(int fd) {
  io::Op& op = new_op(fd);
  ring_->watch_writable(op, fd);
  return op;
}

io::Op& Driver::wait_readable(int fd) {
  io::Op& op = new_op(fd);
  ring_->wait_readable(op, fd);
  return op;
}

io::Op& Driver::connect(const Endpoint& peer) {
  opened_ = own(world_.kernel().open_socket(peer, {}));
  peers_.push_back(peer);
  io::Op& op = new_op(opened_);
  ring_->connect(op, opened_, peers_.back());
  return op;
}

io::Op& Driver::cancel(int fd) {
  io::Op& op = new_op(fd);
  ring_->cancel_all(op, fd);
  return op;
}

io::Op& Driver::cancel(io::Op& target) {
  io::Op& op = new_op(fd_of_[&target]);
  ring_->cancel(op, target);
  return op;
}

io::Op& Driver::wait_event(int event_fd) {
  io::Op& op = new_op(event_fd);
  ring_->wait_event(op, event_fd);
  return op;
}

Outcome Driver::wait(io::Op& op) {
  const bool came = eventually([&] { return !outcomes_[&op].empty(); });
  REQUIRE(came);
  Outcome first = std::move(outcomes_[&op].front());
  outcomes_[&op].pop_front();
  return first;
}

bool Driver::stays_quiet(io::Op& op) {
  const Instant until = world_.kernel().now() + quiet_time;
  while (world_.kernel().now() < until && outcomes_[&op].empty()) turn(quiet_time / 4);
  return outcomes_[&op].empty();
}

std::size_t Driver::fill(int fd) {
  // Seen on Linux: a receiver that has no room takes more after its delayed acknowledgement.
  constexpr Duration settled = 300ms;
  std::size_t taken = 0;
  Instant last = world_.kernel().now();
  while (world_.kernel().now() - last < settled) {
    const int result = wait(send(fd, std::string(65536, 'x'))).result;
    if (result == -EAGAIN) {
      world_.pause();
      continue;
    }
    REQUIRE(result > 0);
    taken += static_cast<std::size_t>(result);
    last = world_.kernel().now();
  }
  return taken;
}

void Driver::turn(Duration limit) {
  const auto waited = ring_->wait(world_.kernel().now() + limit);
  PENSTOCK_ASSERT(waited.has_value());
  ring_->drain([this](const io::Completion& completion) {
    Outcome outcome;
    outcome.result = completion.result;
    outcome.more = io::Ring::more_coming(completion);
    outcome.nonempty = io::Ring::socket_nonempty(completion);
    outcome.buffer = pool_->received(io::BufferClass::small, completion);
    if (outcome.buffer) {
      const auto bytes = outcome.buffer.bytes().first(static_cast<std::size_t>(completion.result));
      outcome.data.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    outcomes_[&completion.op].push_back(std::move(outcome));
  });
}

io::Op& Driver::new_op(int fd) {
  io::Op& op = ops_.emplace_back(this);
  fd_of_[&op] = fd;
  return op;
}

void Driver::end_all() noexcept {
  std::vector<int> busy;
  for (const io::Op& op : ops_) {
    if (op.in_flight) busy.push_back(fd_of_[&op]);
  }
  for (const int fd : busy) ring_->cancel_all(new_op(fd), fd);
  for (int i = 0; i < patience && ring_->in_flight() > 0; ++i) turn(1ms);
  // Accepted on the way out, or in a completion that nobody waited for.
  for (const auto& [op, outcomes] : outcomes_) {
    if (op->kind != io::OpKind::accept) continue;
    for (const Outcome& outcome : outcomes) {
      if (outcome.result >= 0) world_.kernel().close(outcome.result);
    }
  }
  outcomes_.clear();
  for (const int fd : owned_) world_.kernel().close(fd);
}

}  // namespace penstock::contract

// The steps of a connection: dial, handshake, bytes in and out, the end.
#include "connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "penstock/io/fate.h"

namespace penstock::load {
namespace {

/// How long a connection that we have ended waits for the peer's end.
constexpr Duration linger = 1s;

}  // namespace

Connection::Connection(Context& context, User& user, void* of_user_value) noexcept
    : of_user(of_user_value), context_(context), user_(user), leg_(owner(), Side::front, 0) {}

void Connection::dial(const DialOptions& options, std::unique_ptr<tls::Engine> engine) {
  PENSTOCK_ASSERT(state_ == State::idle);
  state_ = State::connecting;
  target_ = options.target;
  introduction_ = options.introduction;
  leg_.engine = std::move(engine);
  const int fd = context_.kernel.open_socket(*target_, options.socket);
  if (fd < 0) return fail_errno(-fd);
  leg_.fd = fd;
  if (options.timeout > Duration::zero()) wake_at(context_.now + options.timeout);
  if (target_->is_unix()) return connected(context_.kernel.connect_now(fd, *target_));
  context_.ring.connect(leg_.send_op, fd, *target_);
}

void Connection::adopt(int fd, std::unique_ptr<tls::Engine> engine, Duration timeout) {
  PENSTOCK_ASSERT(state_ == State::idle);
  leg_.fd = fd;
  leg_.engine = std::move(engine);
  if (timeout > Duration::zero()) wake_at(context_.now + timeout);
  begin_stream();
}

void Connection::connected(int result) {
  if (result < 0) return fail_errno(-result);
  user_.on_connected(*this);
  if (closing()) return;
  if (introduction_ != nullptr) return introduce();
  begin_stream();
}

/// It is sent by itself: what follows may be a handshake, or wait for the user.
void Connection::introduce() {
  const auto local = local_endpoint(leg_.fd);
  if (!local || local->family() != target_->family()) return fail_errno(ENOTCONN);
  Endpoint source = introduction_->source;
  if (!source.is_ip()) source = *local;
  if (source.port() == 0) source = source.with_port(local->port());
  const std::string header = wire::proxy_header(introduction_->version, source, *target_);
  io::Buffer buffer = context_.buffers.take(io::BufferClass::small);
  if (!buffer) return fail_errno(ENOBUFS);
  std::ranges::copy(std::as_bytes(std::span(header)), buffer.bytes().begin());
  leg_.outgoing = wire::Slice(std::move(buffer), header.size());
  state_ = State::introducing;
  leg_.arm_send(context_.ring);
}

/// TLS has failed; why.
Failure Connection::broken(Phase phase) const {
  return {.phase = phase,
          .cause = Failure::Cause::protocol,
          .text = leg_.engine->failure(),
          .alert = leg_.engine->alert()};
}

void Connection::begin_stream() {
  if (leg_.engine) {
    state_ = State::handshaking;
    return pump();
  }
  state_ = State::open;
  wake_never();
  user_.on_open(*this);
  pump();
}

void Connection::step_handshake() {
  switch (leg_.handshake(context_.buffers)) {
    case wire::Leg::Handshake::done:
      state_ = State::open;
      wake_never();
      leg_.arm_send(context_.ring);
      return user_.on_open(*this);
    case wire::Leg::Handshake::needs_output:
    case wire::Leg::Handshake::needs_input:
      leg_.arm_send(context_.ring);
      if (leg_.input_ended && leg_.incoming.empty() && leg_.flushed()) {
        fail({.phase = Phase::handshake, .cause = Failure::Cause::ended});
      }
      return;
    case wire::Leg::Handshake::gone:
      return fail({.phase = Phase::handshake, .cause = Failure::Cause::ended});
    case wire::Leg::Handshake::failed:
      return fail(broken(Phase::handshake));
  }
}

void Connection::on_completion(const io::Completion& completion) {
  const int result = completion.result;
  switch (completion.op.kind) {
    case io::OpKind::connect:
      if (state_ == State::closing) break;
      if (result < 0 && io::fate_of(result) == io::Fate::again) {
        return context_.ring.connect(leg_.send_op, leg_.fd, *target_);
      }
      return connected(result);
    case io::OpKind::receive:
      return received(completion);
    case io::OpKind::send:
      if (!leg_.sent(result, context_.ring) && state_ != State::closing) {
        return fail_errno(-result);
      }
      break;
    case io::OpKind::writable:
      leg_.became_writable();
      break;
    default:
      break;
  }
  pump();
}

void Connection::received(const io::Completion& completion) {
  using Received = wire::Leg::Received;
  const Received what = leg_.received(completion, context_.buffers);
  const bool lost = what == Received::reset || what == Received::timed_out;
  if (lost && state_ != State::closing) return fail_errno(-completion.result);
  pump();
}

void Connection::pump() {
  if (state_ == State::closing) return step_close();
  if (state_ == State::introducing && leg_.flushed()) return begin_stream();
  if (std::exchange(pumping_, true)) return;
  if (state_ == State::handshaking) step_handshake();
  if (state_ == State::open) take_input();
  if (state_ == State::open) give_output();
  if (state_ == State::open && leg_.fin_sent && end_told_) close(Ending::plain);
  const bool receives = state_ == State::open || state_ == State::handshaking;
  if (receives && input_wanted_ && !leg_.input_ended && !leg_.receive_op.in_flight &&
      leg_.incoming.empty() && (state_ == State::handshaking || leg_.needs_input())) {
    leg_.arm_receive(context_.buffers, context_.ring);
  }
  pumping_ = false;
  if (state_ == State::closing) step_close();
}

void Connection::take_input() {
  while (state_ == State::open && input_wanted_ && !end_told_) {
    const bool had = !leg_.incoming.empty();
    const wire::Leg::Stream stream = leg_.decode(in_, context_.buffers);
    const bool got = !in_.empty();
    if (got) {
      user_.consume(*this, in_.readable());
      in_.clear();
    }
    if (state_ != State::open) return;
    if (stream == wire::Leg::Stream::truncated) {
      return fail({.phase = Phase::stream, .cause = Failure::Cause::ended});
    }
    if (stream == wire::Leg::Stream::undecodable) {
      return fail(broken(Phase::stream));
    }
    if (leg_.stream_ended && leg_.incoming.empty()) {
      end_told_ = true;
      return user_.on_end(*this);
    }
    if (!got && (!had || leg_.needs_input())) return;
    if (got && leg_.needs_input() && !leg_.input_ended) return;
  }
}

std::size_t Connection::produce_into(wire::Slice& slice) {
  io::Buffer buffer =
      context_.buffers.take(bulk_ ? io::BufferClass::large : io::BufferClass::small);
  if (!buffer) buffer = context_.buffers.take(io::BufferClass::small);
  if (!buffer) return 0;  // all are held by others; the next completion asks again
  const auto room = buffer.bytes().first(io::BufferPool::receive_size(buffer.size_class()));
  const std::size_t size = user_.produce(*this, room);
  bulk_ = size == room.size();
  if (size > 0) slice = wire::Slice(std::move(buffer), size);
  return size;
}

void Connection::give_output() {
  while (state_ == State::open && leg_.flushed() && !leg_.dead) {
    if (!leg_.engine) {
      if (finishing_ || produce_into(leg_.outgoing) == 0) break;
    } else {
      if (out_.empty() && (finishing_ || produce_into(out_) == 0)) break;
      const bool nothing = leg_.encode(out_, context_.buffers) == 0 && leg_.outgoing.empty();
      if (leg_.dead) {
        return fail(broken(Phase::stream));
      }
      if (nothing) break;
    }
    leg_.arm_send(context_.ring);
  }
  if (state_ != State::open) return;
  leg_.arm_send(context_.ring);
  if (finishing_ && out_.empty() && leg_.flushed() && !leg_.fin_sent) step_finish();
}

void Connection::step_finish() {
  const int result = leg_.finish(context_.kernel, context_.buffers);
  if (result < 0) return fail_errno(-result);
  leg_.arm_send(context_.ring);
}

void Connection::flush() {
  if (state_ == State::open) pump();
}

void Connection::want_input(bool wanted) {
  if (std::exchange(input_wanted_, wanted) == wanted || !wanted) return;
  pump();
}

void Connection::finish() {
  finishing_ = true;
  pump();
}

void Connection::wake_at(Instant when) noexcept { context_.timers.schedule(timer, when); }

void Connection::wake_never() noexcept { context_.timers.cancel(timer); }

void Connection::on_due() {
  if (state_ == State::closing) return step_close();
  if (leaving_) return close(Ending::reset);
  if (state_ == State::open) {
    user_.on_wake(*this);
    if (state_ == State::closing) step_close();
    return;
  }
  fail({.phase = phase(), .cause = Failure::Cause::timed_out});
}

Phase Connection::phase() const noexcept {
  if (state_ == State::connecting || state_ == State::introducing) return Phase::connect;
  return state_ == State::handshaking ? Phase::handshake : Phase::stream;
}

void Connection::fail_errno(int errno_value) {
  fail({.phase = phase(), .errno_value = errno_value});
}

void Connection::fail(const Failure& failure) {
  if (state_ == State::closing) return;
  state_ = State::closing;
  ending_ = Ending::reset;
  wake_never();
  user_.on_failure(*this, failure);
  if (!pumping_) step_close();
}

void Connection::close(Ending ending) {
  if (state_ == State::closing) return;
  state_ = State::closing;
  ending_ = ending;
  wake_never();
  if (!pumping_) step_close();
}

void Connection::leave(Ending ending) {
  if (ending != Ending::plain || state_ != State::open) return close(ending);
  if (std::exchange(leaving_, true)) return;
  wake_at(context_.now + linger);
  want_input(true);
  finish();
}

/// Waits until the kernel holds nothing of the socket, then closes it and is over.
void Connection::step_close() {
  if (linked()) return;
  if (leg_.fd >= 0) {
    if (!leg_.quiesce(context_.ring)) {
      // A cancel can come before what it means to cancel is where the kernel finds it.
      constexpr Duration again_after = 100ms;
      if (!timer.scheduled()) wake_at(context_.now + again_after);
      return;
    }
    wake_never();
    if (ending_ == Ending::reset) {
      context_.kernel.close_with_reset(leg_.fd);
    } else {
      context_.kernel.close(leg_.fd);
    }
    leg_.fd = -1;
  }
  leg_.incoming.clear();
  leg_.outgoing.clear();
  in_.clear();
  out_.clear();
  context_.ended.push_back(*this);
}

}  // namespace penstock::load

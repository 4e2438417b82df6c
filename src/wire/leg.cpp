// The two sides of a leg: what the kernel says about its socket, and how bytes pass between it and
// a pipe.
#include "penstock/wire/leg.h"

#include <cerrno>

#include "penstock/base/planted.h"

namespace penstock::wire {
namespace {

/// A buffer of the wished class, or a small one when the large ones are used up: then bulk goes
/// slower, but it goes.
io::Buffer take(io::BufferPool& buffers, io::BufferClass wished) noexcept {
  if (wished == io::BufferClass::large) {
    if (io::Buffer buffer = buffers.take(wished)) return buffer;
  }
  io::Buffer buffer = buffers.take(io::BufferClass::small);
  PENSTOCK_ASSERT(buffer);  // the pool holds enough small ones for every session
  return buffer;
}

}  // namespace

void Leg::arm_receive(io::BufferPool& buffers, io::Ring& ring) noexcept {
  PENSTOCK_ASSERT(incoming.empty() && !input_ended);
  // Bulk data that is already there goes into the buffer that was used last and is still in the
  // cache. It cannot be held for long: without data the receive fails at once.
  if (bulk_ && expect_data_) {
    lent_ = buffers.take(io::BufferClass::large);
    bulk_ = static_cast<bool>(lent_);  // all large ones are held by others: a small one will do
  }
  if (lent_) {
    ring.receive_now(receive_op, fd,
                     lent_.bytes().first(io::BufferPool::receive_size(io::BufferClass::large)));
  } else {
    buffers.receive(receive_op, fd, bulk_ ? io::BufferClass::large : io::BufferClass::small,
                    expect_data_);
  }
}

void Leg::arm_send(io::Ring& ring) noexcept {
  if (send_op.in_flight || outgoing.empty() || dead || full_) return;
  drained_ = false;
  offered_ = outgoing.size();
  ring.send(send_op, fd, outgoing.readable());
}

Leg::Received Leg::received(const io::Completion& completion, io::BufferPool& buffers) noexcept {
  const io::BufferClass armed = bulk_ ? io::BufferClass::large : io::BufferClass::small;
  io::Buffer buffer = lent_ ? std::move(lent_) : buffers.received(armed, completion);
  if (completion.result > 0) {
    PENSTOCK_ASSERT(buffer && incoming.empty());
    const auto bytes = static_cast<std::size_t>(completion.result);
    incoming = Slice(std::move(buffer), bytes);
    bulk_ = bytes >= io::BufferPool::receive_size(io::BufferClass::small);
    expect_data_ = io::Ring::socket_nonempty(completion);
    return Received::bytes;
  }
  expect_data_ = false;
  if (completion.result == 0) {
    input_ended = true;
    return Received::end;
  }
  switch (io::fate_of(completion.result)) {
    case io::Fate::again:
    case io::Fate::cancelled:
      return Received::nothing;
    case io::Fate::no_buffer:
      expect_data_ = true;  // the next receive brings its own buffer if it can
      return Received::no_buffer;
    case io::Fate::timed_out:
      input_ended = dead = broken = true;
      return Received::timed_out;
    default:
      input_ended = true;
      if (planted(Planted::reset_as_end)) return Received::end;
      dead = broken = true;
      return Received::reset;
  }
}

bool Leg::sent(int result, io::Ring& ring) noexcept {
  if (!survives(result)) {
    outgoing.clear();
    return false;
  }
  bool cut_short = result == -EAGAIN;
  if (result >= 0) {
    const auto taken = static_cast<std::size_t>(result);
    // Less than it was offered: what has been encrypted since then does not count.
    cut_short = taken < offered_;
    if (planted(Planted::send_cut) && cut_short) {
      outgoing.clear();
    } else if (!planted(Planted::send_repeated) || !cut_short) {
      outgoing.consumed(taken);
    }
  }
  if (cut_short && !drained_) mark_full(ring);
  return true;
}

bool Leg::spliced_in(int result) noexcept {
  PENSTOCK_ASSERT(result != 0);
  if (survives(result)) return true;
  input_ended = true;
  return false;
}

bool Leg::spliced_out(int result, io::Ring& ring) noexcept {
  if (!survives(result)) return false;
  if (result == -EAGAIN) mark_full(ring);
  return true;
}

/// False: the socket is dead.
bool Leg::survives(int result) noexcept {
  if (result >= 0) return true;
  const io::Fate fate = io::fate_of(result);
  if (fate == io::Fate::again || fate == io::Fate::cancelled || fate == io::Fate::no_buffer)
    return true;
  dead = broken = true;
  return false;
}

void Leg::mark_full(io::Ring& ring) noexcept {
  full_ = true;
  if (!writable_op.in_flight) ring.watch_writable(writable_op, fd);
}

bool Leg::quiesce(io::Ring& ring) noexcept {
  if (receive_op.in_flight && !cancel_receive_op.in_flight) {
    ring.cancel(cancel_receive_op, receive_op);
  }
  const io::Op& waiting = writable_op.in_flight ? writable_op : send_op;
  if (waiting.in_flight && !cancel_send_op.in_flight) ring.cancel(cancel_send_op, waiting);
  return !busy();
}

void Leg::renew() noexcept {
  PENSTOCK_ASSERT(!busy() && fd < 0);
  engine.reset();
  incoming.clear();
  outgoing.clear();
  lent_ = {};
  input_ended = stream_ended = dead = broken = notify_sent = fin_sent = never_waits = false;
  full_ = drained_ = starved_ = bulk_ = expect_data_ = false;
}

void Leg::became_writable() noexcept {
  full_ = false;
  drained_ = send_op.in_flight;
}

tls::Window Leg::open_window(io::BufferPool& buffers) noexcept {
  if (!outgoing.has_buffer()) outgoing = Slice(take(buffers, io::BufferClass::small), 0);
  return {
      .input = incoming.readable(), .input_ended = input_ended && !dead, .output = outgoing.room()};
}

void Leg::close_window(const tls::Window& window) noexcept {
  incoming.consumed(incoming.size() - window.input.size());
  outgoing.produced(outgoing.room().size() - window.output.size());
  if (outgoing.empty() && !send_op.in_flight) outgoing.clear();
}

Leg::Handshake Leg::handshake(io::BufferPool& buffers) noexcept {
  tls::Window window = open_window(buffers);
  const tls::Status status = engine->handshake(window);
  close_window(window);
  switch (status) {
    case tls::Status::ok:
      return Handshake::done;
    case tls::Status::want_input:
      return dead ? Handshake::gone : Handshake::needs_input;
    case tls::Status::want_output:
      return Handshake::needs_output;
    case tls::Status::closed:
    case tls::Status::truncated:
      return Handshake::gone;
    case tls::Status::failed:
      break;
  }
  return Handshake::failed;
}

Leg::Stream Leg::decode(Slice& pipe, io::BufferPool& buffers) noexcept {
  if (!engine) {
    if (pipe.empty()) pipe = std::move(incoming);
    stream_ended = stream_ended || (input_ended && !broken && incoming.empty());
    return stream_ended ? Stream::ended : Stream::open;
  }
  if (stream_ended) {  // what follows close_notify is not part of the stream
    incoming.clear();
    return Stream::ended;
  }
  if (!pipe.empty() || (broken && !dead)) return Stream::open;
  const bool nothing_left = starved_ || planted(Planted::plaintext_left);
  if (nothing_left && incoming.empty() && (!input_ended || dead)) return Stream::open;
  const io::BufferClass wished =
      incoming.has_buffer() ? incoming.size_class() : io::BufferClass::small;
  io::Buffer plaintext = take(buffers, wished);
  tls::Window window = open_window(buffers);
  const std::span<std::byte> room =
      plaintext.bytes().first(io::BufferPool::receive_size(plaintext.size_class()));
  const tls::Outcome outcome = engine->read(window, room);
  close_window(window);
  if (outcome.bytes > 0) pipe = Slice(std::move(plaintext), outcome.bytes);
  starved_ = outcome.status != tls::Status::ok && outcome.status != tls::Status::want_output;
  switch (outcome.status) {
    case tls::Status::closed:
      stream_ended = true;
      return Stream::ended;
    case tls::Status::truncated:
      if (planted(Planted::truncation_as_end)) {
        stream_ended = true;
        return Stream::ended;
      }
      broken = true;
      return Stream::truncated;
    case tls::Status::failed:
      broken = input_ended = true;
      incoming.clear();
      return Stream::undecodable;
    default:
      return Stream::open;
  }
}

std::size_t Leg::encode(Slice& pipe, io::BufferPool& buffers) noexcept {
  if (pipe.empty() || broken || !flushed()) return 0;
  if (!engine) {
    outgoing = std::move(pipe);
    return outgoing.size();
  }
  outgoing = Slice(take(buffers, pipe.size_class()), 0);
  tls::Window window = open_window(buffers);
  const tls::Outcome outcome = engine->write(window, pipe.readable());
  close_window(window);
  pipe.consumed(outcome.bytes);
  if (outcome.status == tls::Status::failed) dead = broken = true;
  return outcome.bytes;
}

int Leg::finish(io::Kernel& kernel, io::BufferPool& buffers) noexcept {
  PENSTOCK_ASSERT(flushed() && !fin_sent);
  if (engine && !notify_sent && !planted(Planted::no_close_notify)) {
    tls::Window window = open_window(buffers);
    const tls::Status status = engine->close_notify(window);
    close_window(window);
    if (status == tls::Status::failed) return -EPROTO;
    notify_sent = status != tls::Status::want_output;
    if (!outgoing.empty()) return 0;
  }
  fin_sent = true;
  if (planted(Planted::forgotten_fin)) return 0;
  return kernel.shutdown_write(fd);
}

}  // namespace penstock::wire

// Leg: one end of a connection: a socket, the ops on it and, when that end speaks TLS, the engine
// between socket and stream. It knows no session; its owner is whatever its ops name. The owner
// never asks whether a leg is TLS: decode() and encode() move bytes between the socket's side
// (incoming, outgoing) and a stream's slices, as they are or through the engine. One thread's.
#pragma once

#include <cstddef>
#include <memory>

#include "penstock/base/side.h"
#include "penstock/io/buffer_pool.h"
#include "penstock/io/fate.h"
#include "penstock/io/kernel.h"
#include "penstock/io/op.h"
#include "penstock/io/ring.h"
#include "penstock/tls/engine.h"
#include "penstock/wire/slice.h"

namespace penstock::wire {

class Leg {
 public:
  enum class Handshake : std::uint8_t { done, needs_input, needs_output, gone, failed };
  /// What a completed receive meant.
  enum class Received : std::uint8_t { bytes, end, nothing, no_buffer, reset, timed_out };
  /// What decode() found the peer's stream to be.
  enum class Stream : std::uint8_t { open, ended, truncated, undecodable };

  /// `role` tells the loop that dispatches what `owner` is.
  Leg(void* owner, Side side, std::uint8_t role) noexcept
      : receive_op(owner, side, role),
        send_op(owner, side, role),
        writable_op(owner, side, role),
        cancel_receive_op(owner, side, role),
        cancel_send_op(owner, side, role) {}

  /// A request on the socket may still complete.
  [[nodiscard]] bool busy() const noexcept {
    return receive_op.in_flight || send_op.in_flight || writable_op.in_flight ||
           cancel_receive_op.in_flight || cancel_send_op.in_flight;
  }
  /// Nothing more can be decoded without another receive.
  [[nodiscard]] bool needs_input() const noexcept { return engine ? starved_ : incoming.empty(); }
  /// Nothing waits to be sent or is being sent.
  [[nodiscard]] bool flushed() const noexcept { return outgoing.empty() && !send_op.in_flight; }

  /// The socket took less than it was offered, and has not become writable since.
  [[nodiscard]] bool full() const noexcept { return full_; }

  void arm_receive(io::BufferPool& buffers, io::Ring& ring) noexcept;
  /// The next receive brings what fits a small buffer, whatever the last one brought.
  void expect_little() noexcept { bulk_ = false; }
  /// Waits for input without taking it: on the splice path it goes elsewhere.
  void await_input(io::Ring& ring) noexcept { ring.wait_readable(receive_op, fd); }
  /// Sends what is outgoing, unless a send is in flight or the socket is full or dead.
  void arm_send(io::Ring& ring) noexcept;
  [[nodiscard]] Received received(const io::Completion& completion,
                                  io::BufferPool& buffers) noexcept;
  /// Takes a send's result into account. False when the socket is dead: fate_of(result) says how.
  [[nodiscard]] bool sent(int result, io::Ring& ring) noexcept;
  /// The same of what came from the socket through a pipe (not of an end: a receive finds that),
  /// and of what went to it.
  [[nodiscard]] bool spliced_in(int result) noexcept;
  [[nodiscard]] bool spliced_out(int result, io::Ring& ring) noexcept;
  /// The one step before a leg changes its path or its owner, or is closed: asks the kernel to let
  /// go of every request on the socket. True once it holds none; until then call it again after
  /// each completion. What a late receive brings stays in incoming, what was not sent in outgoing.
  [[nodiscard]] bool quiesce(io::Ring& ring) noexcept;
  /// As new, for another socket. Only when quiet and closed.
  void renew() noexcept;
  /// The socket may take more than it did.
  void became_writable() noexcept;

  [[nodiscard]] Handshake handshake(io::BufferPool& buffers) noexcept;
  /// Fills an empty `pipe` with what the peer's stream holds. TLS: may leave ciphertext to send
  /// (answers, alerts).
  [[nodiscard]] Stream decode(Slice& pipe, io::BufferPool& buffers) noexcept;
  /// Moves bytes of `pipe` to outgoing when that is free; the number of them.
  [[nodiscard]] std::size_t encode(Slice& pipe, io::BufferPool& buffers) noexcept;
  /// Ends the stream towards the peer, one step a call: close_notify on a TLS leg, then FIN. Call
  /// it whenever flushed(). Negative: -errno of the shutdown, or -EPROTO: the engine cannot.
  [[nodiscard]] int finish(io::Kernel& kernel, io::BufferPool& buffers) noexcept;

  int fd = -1;
  std::unique_ptr<tls::Engine> engine;  ///< null: plain, bytes pass as they are
  io::Op receive_op;                    ///< on the splice path: waits for input
  io::Op send_op;                       ///< also the connect of a leg that dials
  io::Op writable_op;  ///< watches the socket, from the first time that it took less than offered
  io::Op cancel_receive_op;
  io::Op cancel_send_op;     ///< of the connect or the watch: a send does not wait
  Slice incoming;            ///< from the socket, not decoded yet
  Slice outgoing;            ///< to the socket, encoded
  bool input_ended = false;  ///< the socket yields nothing more: FIN or an error was read
  bool stream_ended =
      false;          ///< the peer ended its stream properly: FIN, or close_notify on a TLS leg
  bool dead = false;  ///< the socket is reset or timed out: nothing can be sent to it
  bool broken =
      false;  ///< dead, or its stream is truncated or undecodable: an end of it is not a FIN
  bool notify_sent = false;  ///< close_notify was written to outgoing
  bool fin_sent = false;
  bool never_waits = false;  ///< the socket was told so, for splicing

 private:
  [[nodiscard]] bool survives(int result) noexcept;
  void mark_full(io::Ring& ring) noexcept;
  [[nodiscard]] tls::Window open_window(io::BufferPool& buffers) noexcept;
  void close_window(const tls::Window& window) noexcept;

  std::size_t offered_ = 0;   // to the send in flight
  bool full_ = false;         // the socket took less than offered and has not become writable since
  bool drained_ = false;      // it became writable while a send was in flight
  bool starved_ = false;      // TLS: the engine yields nothing without more ciphertext
  io::Buffer lent_;           // to the receive in flight, when it does not take one from the ring
  bool bulk_ = false;         // the last receive filled its buffer: the next one gets a large one
  bool expect_data_ = false;  // the socket had more when the last receive completed
};

}  // namespace penstock::wire

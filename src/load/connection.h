// Connection: one end of a TCP or TLS connection, dialled or accepted, as bytes that its user
// produces and consumes. It moves them, does handshakes, watches its deadline and closes; what the
// bytes mean is its user's. Lives in the worker's slab from dial() or adopt() until it has closed,
// so it is used once. One worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "context.h"
#include "penstock/net/endpoint.h"
#include "penstock/net/socket.h"
#include "penstock/wire/leg.h"
#include "penstock/wire/proxy_header.h"

namespace penstock::load {

/// How far a connection had come.
enum class Phase : std::uint8_t { connect, handshake, stream };

/// Why a connection was lost.
struct Failure {
  enum class Cause : std::uint8_t {
    system,     ///< errno_value says what
    ended,      ///< the peer ended its stream where that is no end (handshake, no close_notify)
    protocol,   ///< TLS: `text` says what
    timed_out,  ///< the deadline came
  };
  Phase phase = Phase::connect;
  Cause cause = Cause::system;
  int errno_value = 0;
  std::string text{};
  std::optional<std::uint8_t> alert{};  ///< TLS: the number of the peer's, where it sent one
};

/// Whoever a connection belongs to. Called from the worker's turn; it may close the connection in
/// any of these.
class User {
 public:
  User() = default;
  User(const User&) = delete;
  User& operator=(const User&) = delete;
  virtual ~User() = default;
  /// The TCP connection is there; a handshake follows on a TLS connection.
  virtual void on_connected(Connection& connection) = 0;
  /// Bytes may be sent and come from here on.
  virtual void on_open(Connection& connection) = 0;
  /// Fills `to` with what is to be sent next, and says how much that is; 0: nothing for now, and
  /// Connection::flush() asks again.
  virtual std::size_t produce(Connection& connection, std::span<std::byte> to) = 0;
  virtual void consume(Connection& connection, std::span<const std::byte> bytes) = 0;
  /// The peer has ended its stream as it should: FIN, on a TLS connection close_notify.
  virtual void on_end(Connection& connection) = 0;
  virtual void on_failure(Connection& connection, const Failure& failure) = 0;
  /// The time that was set with wake_at() has come.
  virtual void on_wake(Connection& connection) = 0;
  /// The last call. The socket is closed.
  virtual void on_closed(Connection& connection) = 0;
};

/// How a socket is closed.
enum class Ending : std::uint8_t { plain, reset };

/// Before the first byte of a connection: a header that says whose it is.
struct Introduction {
  wire::ProxyVersion version = wire::ProxyVersion::v1;
  Endpoint source{};  ///< unspecified: the connection's own; port 0: the connection's own
};

struct DialOptions {
  const Endpoint* target = nullptr;
  ConnectionOptions socket{};
  const Introduction* introduction = nullptr;  ///< borrowed; null: none
  Duration timeout{};                          ///< for connect and handshake together
};

class Connection final : public ListHook<Ended>, public OpOwner, private Waiter {
 public:
  Connection(Context& context, User& user, void* of_user) noexcept;

  /// Connects. `engine`: a client's, or null for a plain connection.
  void dial(const DialOptions& options, std::unique_ptr<tls::Engine> engine);
  /// Takes an accepted socket over. `engine`: a server's, or null. `timeout` is the handshake's.
  void adopt(int fd, std::unique_ptr<tls::Engine> engine, Duration timeout);

  /// There is something to produce.
  void flush();
  /// While not wanted, nothing is received, and the peer is held back by TCP.
  void want_input(bool wanted);
  /// One call of on_wake() then; replaces an earlier one.
  void wake_at(Instant when) noexcept;
  [[nodiscard]] bool will_wake() const noexcept { return timer.scheduled(); }
  void wake_never() noexcept;
  /// Within consume() only: the buffer with the bytes that it was given, for the user to keep.
  [[nodiscard]] wire::Slice keep_input() noexcept { return std::move(in_); }
  /// Ends our stream (close_notify, FIN) once what was produced is out; the peer's goes on. Once
  /// both have ended, the connection closes by itself.
  void finish();
  /// Closes. No other call follows but on_closed().
  void close(Ending ending);
  /// The user has done with it. Plain: in order, our end of the stream and then the peer's, who has
  /// a second for it, since to close with something unread is a reset.
  void leave(Ending ending);

  void on_completion(const io::Completion& completion) override;

  [[nodiscard]] bool open() const noexcept { return state_ == State::open; }
  [[nodiscard]] bool closing() const noexcept { return state_ == State::closing; }
  /// Segments that TCP has sent again.
  [[nodiscard]] std::uint32_t retransmits() noexcept {
    return leg_.fd < 0 ? 0 : context_.kernel.retransmits(leg_.fd);
  }
  [[nodiscard]] tls::Engine* engine() noexcept { return leg_.engine.get(); }
  [[nodiscard]] User& user() noexcept { return user_; }
  /// What the user gave; it may let go of the connection by setting null.
  void* of_user;

 private:
  enum class State : std::uint8_t { idle, connecting, introducing, handshaking, open, closing };

  void on_due() override;
  void connected(int result);
  void introduce();
  void begin_stream();
  [[nodiscard]] Phase phase() const noexcept;
  [[nodiscard]] Failure broken(Phase phase) const;
  void step_handshake();
  void received(const io::Completion& completion);
  void pump();
  void take_input();
  void give_output();
  void step_finish();
  void fail(const Failure& failure);
  void fail_errno(int errno_value);
  void step_close();
  [[nodiscard]] std::size_t produce_into(wire::Slice& slice);

  Context& context_;
  User& user_;
  wire::Leg leg_;
  wire::Slice in_;   // plaintext that was decoded
  wire::Slice out_;  // plaintext that waits to be encoded, TLS only
  const Endpoint* target_ = nullptr;
  const Introduction* introduction_ = nullptr;
  State state_ = State::idle;
  Ending ending_ = Ending::plain;
  bool input_wanted_ = true;
  bool end_told_ = false;
  bool finishing_ = false;
  bool leaving_ = false;
  bool bulk_ = false;     // the last call of produce() filled its buffer
  bool pumping_ = false;  // a call of the user's from within goes no deeper
};

}  // namespace penstock::load

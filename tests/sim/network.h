// Network: TCP and unix sockets in memory, as applications see them. A connection is two Streams;
// bytes, FIN and RST travel between them in order, in pieces and with delays that the seed chooses.
// What Linux does at the edges (which error, how often, what stays readable) is written down here
// once and held against the real kernel by the contract suite. Descriptors, rings and requests are
// SimKernel's; the remote ends of a simulated world use Streams directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/net/endpoint.h"
#include "penstock/time/instant.h"
#include "random.h"
#include "timeline.h"

namespace penstock::sim {

/// How the wire behaves.
struct Wire {
  Duration latency_min{};
  Duration latency_max{};
  double split = 0;                     ///< chance that a delivery moves only a part
  std::size_t send_buffer_min = 65536;  ///< each stream draws its sizes
  std::size_t send_buffer_max = 65536;
  std::size_t receive_buffer_min = 65536;
  std::size_t receive_buffer_max = 65536;
  Duration user_timeout = 60s;  ///< until a connection to a vanished peer is given up
};

class Network;

/// One end of a connection. Results are bytes or -errno, as of non-blocking system calls.
class Stream {
 public:
  Stream(Network& network, Endpoint local, Endpoint remote);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Bytes, 0 at the end of the stream, -EAGAIN, or the socket's error, which is told once.
  int receive(std::span<std::byte> to);
  /// Bytes, -EAGAIN, the socket's error (told once), or -EPIPE.
  int send(std::span<const std::byte> from);
  /// 0 or -ENOTCONN.
  int shut_write();
  /// The application lets go: FIN after what is queued, or RST when it leaves bytes unread.
  void close();
  /// The application resets: what is queued is thrown away but for what is on the wire already.
  void abort();
  /// The host is gone without a word: nothing comes from it or reaches it any more.
  void vanish();

  /// A receive would not say -EAGAIN.
  [[nodiscard]] bool readable() const noexcept;
  /// The same for whoever waits: data counts only from the low watermark on, or when no more fits.
  [[nodiscard]] bool ready() const noexcept;
  void set_low_watermark(std::size_t bytes) noexcept;
  /// A third of the send buffer is free, or a send would fail: what poll(2) calls writable.
  [[nodiscard]] bool writable() const noexcept;
  /// The peer has ended its stream: Linux tells that to every poll, asked for or not.
  [[nodiscard]] bool peer_ended() const noexcept { return fin_received_; }
  /// Counts the moments at which a poll for writability is woken up: room was wanted and has come
  /// up, or the connection's state has changed.
  [[nodiscard]] std::uint64_t writable_events() const noexcept { return writable_events_; }
  /// The kernel had no memory for more: room is wanted, and comes up a little later.
  void starve();
  [[nodiscard]] bool has_unread() const noexcept { return !in_.empty() || fin_received_; }
  /// Sent but not acknowledged, a FIN included (SIOCOUTQ; unix: not read).
  [[nodiscard]] std::size_t unacknowledged() const noexcept;
  /// Reset, timed out, or ended in both directions.
  [[nodiscard]] bool dead() const noexcept {
    return dead_ || (!is_unix() && fin_received_ && fin_delivered_);
  }
  [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
  [[nodiscard]] const Endpoint& remote() const noexcept { return remote_; }
  [[nodiscard]] Stream& peer() noexcept { return *peer_; }
  [[nodiscard]] const Stream& peer() const noexcept { return *peer_; }
  /// Bytes of ours that have arrived at the peer's kernel, and whether our FIN has.
  [[nodiscard]] std::uint64_t arrived() const noexcept { return arrived_; }
  [[nodiscard]] bool fin_arrived() const noexcept { return fin_delivered_; }
  [[nodiscard]] bool is_unix() const noexcept { return local_.is_unix() || remote_.is_unix(); }
  /// When a byte last passed between the application and it; the beginning of time: never.
  [[nodiscard]] Instant last_moved() const noexcept { return last_moved_; }
  /// Since when there is something to receive that nobody has received; never: there is nothing.
  [[nodiscard]] Instant waiting_since() const noexcept {
    return in_.empty() ? never : waiting_since_;
  }
  /// When all that was sent had arrived; never: it has not.
  [[nodiscard]] Instant drained_at() const noexcept { return out_.empty() ? drained_at_ : never; }
  /// The application has not let go of it.
  [[nodiscard]] bool held() const noexcept { return !closed_; }

 private:
  friend class Network;
  void kick();
  void deliver();
  bool deliver_data();
  void arrive(std::string_view bytes);
  void fail(int error) noexcept;
  void receive_fin() noexcept;
  void note_room() noexcept;
  [[nodiscard]] std::size_t room() const noexcept;
  int send_tcp(std::span<const std::byte> from);
  int send_unix(std::span<const std::byte> from);
  void close_unix();

  Network& network_;
  Stream* peer_ = nullptr;
  Endpoint local_;
  Endpoint remote_;
  std::string in_;   // arrived, not read
  std::string out_;  // sent by the application, not arrived
  std::size_t send_buffer_;
  std::size_t receive_buffer_;
  std::uint64_t arrived_ = 0;
  Instant last_moved_ = Instant::min();
  Instant waiting_since_ = Instant::min();
  Instant drained_at_ = Instant::min();
  std::size_t low_watermark_ = 1;
  int error_ = 0;  // sk_err: told to whoever asks first
  std::uint64_t writable_events_ = 0;
  bool room_wanted_ = false;  // a send was cut short: SOCK_NOSPACE
  bool write_shut_ = false;
  bool fin_delivered_ = false;
  bool fin_received_ = false;
  bool reset_queued_ = false;
  bool dead_ = false;    // TCP_CLOSE
  bool closed_ = false;  // the application has closed it
  bool vanished_ = false;
  bool delivery_due_ = false;
};

/// A listening socket, ours or a remote server's.
struct Listener {
  Endpoint at;
  std::size_t backlog = 4096;
  std::deque<Stream*> queue;  ///< established, not accepted
  bool dropping = false;      ///< SYNs are dropped: drop_new_connections()
  bool open = true;
  std::function<void(Stream&)> on_queued;  ///< a server that accepts by itself
};

/// What answers at an address where nobody listens.
enum class Answer : std::uint8_t { refuses, host_unreachable, network_unreachable, silent };

/// A connect under way, and what became of it.
struct Dial {
  Endpoint from;
  Endpoint to;
  bool abandoned = false;
  bool done = false;
  int result = 0;            ///< 0 or -errno
  Stream* stream = nullptr;  ///< as soon as the server's kernel has agreed
  int tries = 0;
  std::function<void(Dial&)> on_done;
};

class Network {
 public:
  Network(Timeline& timeline, Random& random, const Wire& wire)
      : timeline_(timeline), random_(random), wire_(wire) {}

  Listener& listen(const Endpoint& at, std::size_t backlog,
                   std::function<void(Stream&)> on_queued = nullptr);
  /// Whoever is in the queue is reset.
  void close_listener(Listener& listener);
  void set_answer(const Endpoint& at, Answer answer);

  /// Connects; on_done (may be null) is called once, unless the dial was abandoned.
  std::shared_ptr<Dial> dial(const Endpoint& from, const Endpoint& to,
                             std::function<void(Dial&)> on_done = nullptr);
  void abandon(Dial& dial);
  /// Connects a unix socket at once: null and -errno, or a stream and 0.
  std::pair<Stream*, int> connect_unix(const Endpoint& to);

  [[nodiscard]] Timeline& timeline() noexcept { return timeline_; }
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] const Wire& wire() const noexcept { return wire_; }
  void set_wire(const Wire& wire) noexcept { wire_ = wire; }
  [[nodiscard]] Duration latency() noexcept {
    return random_.duration(wire_.latency_min, wire_.latency_max);
  }

 private:
  struct Reply {
    Endpoint at;
    Answer answer = Answer::refuses;
  };
  [[nodiscard]] Listener* listener_at(const Endpoint& at);
  [[nodiscard]] Answer answer_at(const Endpoint& at) const;
  std::pair<Stream*, Stream*> pair(const Endpoint& client, const Endpoint& server);
  void enqueue(Listener& listener, Stream& stream);
  void syn_arrives(const std::shared_ptr<Dial>& dial);
  void finish(const std::shared_ptr<Dial>& dial, int result, Duration delay);

  Timeline& timeline_;
  Random& random_;
  Wire wire_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Reply> answers_;
};

}  // namespace penstock::sim

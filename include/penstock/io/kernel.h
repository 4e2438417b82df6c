// Kernel: the operating system as a shard or the health thread sees it, and the seam under which
// the simulator sits. Ring code writes real SQEs; enter() is the one virtual call per loop turn.
// The direct calls are those that io_uring would hand to a worker thread (shutdown), that are rare,
// or that have no operation. Negative results are -errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "penstock/base/result.h"
#include "penstock/io/features.h"
#include "penstock/net/endpoint.h"
#include "penstock/net/socket.h"
#include "penstock/time/instant.h"

struct io_uring;
struct io_uring_buf_ring;

namespace penstock::io {

struct RingOptions {
  std::uint32_t submission_entries = 1024;   ///< a power of two
  std::uint32_t completion_entries = 16384;  ///< a power of two
  FeatureSet features;                       ///< as probe_features() found them
};

struct PipeEnds {
  int read = -1;
  int write = -1;
};

class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// Sets `ring` up for use by the calling thread only.
  [[nodiscard]] virtual Result<void> open_ring(io_uring& ring, const RingOptions& options) = 0;
  virtual void close_ring(io_uring& ring) noexcept = 0;
  /// A ring of `entries` (a power of two) provided buffers for `group`.
  [[nodiscard]] virtual Result<io_uring_buf_ring*> open_buffer_ring(io_uring& ring,
                                                                    std::uint32_t entries,
                                                                    std::uint16_t group) = 0;
  virtual void close_buffer_ring(io_uring& ring, io_uring_buf_ring* buffers, std::uint32_t entries,
                                 std::uint16_t group) noexcept = 0;
  /// Submits every pending SQE and waits until `wait_for` completions are there or `until` has
  /// come. 0, or -errno where the ring cannot go on; -EINTR, -ETIME, -EAGAIN and -EBUSY are handled
  /// inside.
  [[nodiscard]] virtual int enter(io_uring& ring, std::uint32_t wait_for,
                                  Instant until) noexcept = 0;

  /// A stream socket that can be connected to `peer`, with the connection options set; non-blocking
  /// for unix peers. -EADDRNOTAVAIL: the source is no address of this machine.
  [[nodiscard]] virtual int open_socket(const Endpoint& peer,
                                        const ConnectionOptions& options) noexcept = 0;
  /// Connects a unix socket at once: 0, or -errno (-EAGAIN: the backlog is full).
  [[nodiscard]] virtual int connect_now(int fd, const Endpoint& peer) noexcept = 0;
  /// Accepts without waiting (accepted sockets inherit the options of the listener): a descriptor,
  /// or -errno (-EAGAIN: nothing queued).
  [[nodiscard]] virtual int accept_now(int listener_fd) noexcept = 0;
  /// The peer of a connected socket; the unspecified endpoint when it is already gone.
  [[nodiscard]] virtual Endpoint peer_of(int fd) noexcept = 0;
  /// Sends FIN. 0 or -errno (-ENOTCONN: the peer has reset).
  virtual int shutdown_write(int fd) noexcept = 0;
  /// Bytes handed to the kernel that the peer has not acknowledged (SIOCOUTQ); 0 when the socket is
  /// dead.
  [[nodiscard]] virtual std::size_t unacknowledged(int fd) noexcept = 0;
  /// Segments that TCP has sent again so far; 0 where it is not known.
  [[nodiscard]] virtual std::uint32_t retransmits(int fd) noexcept = 0;

  /// A pipe that holds at least `size` bytes and never waits. 0, or -errno and no pipe: -EPERM when
  /// the user's share of pipe memory is used up (pipe(7)), -EMFILE.
  [[nodiscard]] virtual int open_pipe(std::size_t size, PipeEnds& ends) noexcept = 0;
  /// Moves up to `most` bytes between a socket and a pipe without copying them: the number, 0 at
  /// the end of the socket's stream, or -errno (-EAGAIN: the source is empty or the sink is full; a
  /// pipe of many small pieces is full early). The socket must have been told not to wait, and
  /// SIGPIPE be ignored.
  [[nodiscard]] virtual int splice(int from, int to, std::size_t most) noexcept = 0;
  /// From now on direct calls do not wait for this socket; requests through the ring still do.
  virtual void never_wait(int fd) noexcept = 0;
  /// Readiness is reported only from so many bytes on (SO_RCVLOWAT), or at the stream's end.
  virtual void set_low_watermark(int fd, std::size_t bytes) noexcept = 0;

  virtual void close(int fd) noexcept = 0;
  /// Closes with RST: SO_LINGER {1, 0}, close. Nothing may be in flight on it.
  virtual void close_with_reset(int fd) noexcept = 0;

  /// A descriptor that another thread can notify(): an eventfd, read through the ring.
  [[nodiscard]] virtual Result<int> open_event() = 0;
  /// Wakes the ring that reads `event_fd`. Any thread.
  virtual void notify(int event_fd) noexcept = 0;

  [[nodiscard]] virtual Instant now() noexcept = 0;
};

}  // namespace penstock::io

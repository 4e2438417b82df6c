// Listening sockets and socket options: the direct system calls that the supervisor makes at start
// and at the end, and the options that every connection gets. Sessions come here through io::Kernel
// only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "penstock/base/result.h"
#include "penstock/base/unique_fd.h"
#include "penstock/net/endpoint.h"
#include "penstock/time/instant.h"

namespace penstock {

struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = true;  ///< several shards share the address; ignored for unix
  /// The first socket of an address: fails when another process holds it, even one that shares it
  /// (SO_REUSEPORT would let a second penstock of the same user take half of the connections
  /// unnoticed). The later sockets leave this false.
  bool first = false;
  /// Waits for up to half a second for an address that is taken: by a process, perhaps, that was
  /// just killed and whose ring the kernel has not taken down yet.
  bool patient = false;
  std::optional<mode_t> mode{};  ///< of the unix socket's file
};

/// Opens a listening socket: non-blocking, close-on-exec, SO_REUSEADDR; IPv6 is always V6ONLY. A
/// unix socket file that nobody answers on is removed first; one that somebody answers on is an
/// error. The error says what to do about the errno.
[[nodiscard]] Result<UniqueFd> open_listener(const Endpoint& at, const ListenOptions& options);

/// The address that the socket is bound to (port 0 resolved).
[[nodiscard]] Result<Endpoint> local_endpoint(int fd);

/// Attaches a socket filter that drops SYNs, so that connections that are queued or half open can
/// still be accepted while no new one starts; the client's kernel retries the SYN. No effect on
/// unix sockets.
[[nodiscard]] Result<void> drop_new_connections(int listener_fd);

/// Ports that the kernel may choose from for a connection's own end, both included; 0: all.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// Options of a connection's socket. Zero leaves the kernel's default.
struct ConnectionOptions {
  Duration keepalive{};     ///< TCP_KEEPIDLE; probes every sixth of it (at least 1 s), 6 of them
  Duration user_timeout{};  ///< TCP_USER_TIMEOUT
  int receive_buffer = 0;   ///< SO_RCVBUF, bytes
  int send_buffer = 0;      ///< SO_SNDBUF, bytes
  PortRange local_ports{};  ///< IP_LOCAL_PORT_RANGE: within the system's own range (ip(7))
  const Endpoint* source =
      nullptr;  ///< where to connect from, borrowed; port 0: the kernel chooses
};

/// Binds a socket that is to connect from `source`, its port chosen when it does, so that a port
/// can serve connections to several peers at once (IP_BIND_ADDRESS_NO_PORT). 0 or -errno.
[[nodiscard]] int bind_source(int fd, const Endpoint& source) noexcept;

/// Whether connections can be bound to such ports. Error: the kernel is older than Linux 6.3, or
/// the range is not within the system's own, and would be passed over in silence.
[[nodiscard]] Result<void> check_local_ports(PortRange range);

/// Whether a socket gets buffers of so many bytes; 0: is not asked for. Error: the system allows
/// less, and would cut the size in silence.
[[nodiscard]] Result<void> check_buffers(int send, int receive);

/// Sets TCP_NODELAY and the options but `source`. Failures are ignored: the connection works
/// without them, and the only causes are a peer that is already gone or a kernel without the
/// option.
void configure_connection(int fd, int family, const ConnectionOptions& options) noexcept;

}  // namespace penstock

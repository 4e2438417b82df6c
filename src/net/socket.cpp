// What is done to sockets that exist: their names, the filter that ends accepting without resets,
// the options of every connection.
#include "penstock/net/socket.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <limits>

namespace penstock {
namespace {

// Offset and bits of the TCP header's flags (RFC 9293, section 3.1). The kernel runs a TCP socket's
// filter with the packet at its TCP header (net/ipv4/tcp_ipv4.c, tcp_filter), for IPv4 and IPv6
// alike.
constexpr std::uint32_t tcp_flags_offset = 13;
constexpr std::uint32_t tcp_syn = 0x02;
constexpr std::uint32_t tcp_ack = 0x10;
/// linux/in.h of Linux 6.3; libc's header does not have it in Debian 12.
constexpr int ip_local_port_range = 51;
constexpr std::uint32_t pass_whole = 0xffffffff;

void set_option(int fd, int level, int option, std::int64_t value) noexcept {
  const auto number =
      static_cast<int>(std::clamp<std::int64_t>(value, 1, std::numeric_limits<int>::max()));
  ::setsockopt(fd, level, option, &number, sizeof number);
}

/// False, with errno, where the kernel does not know of it.
bool set_local_ports(int fd, PortRange range) noexcept {
  const std::uint32_t both = (std::uint32_t{range.last} << 16) | range.first;
  return ::setsockopt(fd, IPPROTO_IP, ip_local_port_range, &both, sizeof both) == 0;
}

}  // namespace

Result<Endpoint> local_endpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(fd, address, &length) != 0) {
    return fail_errno("cannot read the address of a listening socket", errno);
  }
  return Endpoint::from(address, length);
}

Result<void> drop_new_connections(int listener_fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (::getsockopt(listener_fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) {
    return fail_errno("cannot read the address family of a listening socket", errno);
  }
  if (domain != AF_INET && domain != AF_INET6) return {};

  // Connections accepted from now on inherit the filter; it does not touch them, for none of their
  // segments has SYN alone.
  std::array<sock_filter, 5> program{{
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, tcp_flags_offset},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, tcp_syn | tcp_ack},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, tcp_syn},
      {BPF_RET | BPF_K, 0, 0, 0},
      {BPF_RET | BPF_K, 0, 0, pass_whole},
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) {
    return fail_errno("cannot attach the filter that drops new connections to a listening socket",
                      errno);
  }
  return {};
}

int bind_source(int fd, const Endpoint& source) noexcept {
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);  // for IPv6, too (ip(7))
  return ::bind(fd, source.address(), source.length()) == 0 ? 0 : -errno;
}

Result<void> check_local_ports(PortRange range) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail_errno("cannot open a socket", errno);
  if (!set_local_ports(fd.get(), range)) {
    if (errno != ENOPROTOOPT) return fail_errno("cannot choose the local ports", errno);
    return fail("this kernel lets nobody choose the local ports: that takes Linux 6.3 or newer");
  }
  constexpr const char* path = "/proc/sys/net/ipv4/ip_local_port_range";
  std::ifstream file(path);
  int first = 0;
  int last = 0;
  if (!(file >> first >> last)) return fail(fmt::format("cannot read {}", path));
  if (range.first >= first && range.last <= last) return {};
  return fail(fmt::format("ports {} to {} are not within the system's own, {} to {} ({})",
                          range.first, range.last, first, last, path));
}

Result<void> check_buffers(int send, int receive) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail_errno("cannot open a socket", errno);
  struct Asked {
    int option;
    int bytes;
    const char* sysctl;
  };
  for (const Asked& asked : {Asked{SO_SNDBUF, send, "net.core.wmem_max"},
                             Asked{SO_RCVBUF, receive, "net.core.rmem_max"}}) {
    if (asked.bytes == 0) continue;
    int got = 0;
    socklen_t size = sizeof got;
    set_option(fd.get(), SOL_SOCKET, asked.option, asked.bytes);
    if (::getsockopt(fd.get(), SOL_SOCKET, asked.option, &got, &size) != 0) got = 0;
    // The kernel doubles it, for its own structures.
    if (got / 2 >= asked.bytes) continue;
    return fail(fmt::format("{} bytes of buffer are more than the {} that {} allows", asked.bytes,
                            got / 2, asked.sysctl));
  }
  return {};
}

void configure_connection(int fd, int family, const ConnectionOptions& options) noexcept {
  if (options.receive_buffer > 0) set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.send_buffer > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (family != AF_INET && family != AF_INET6) return;
  if (options.local_ports.first > 0) set_local_ports(fd, options.local_ports);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keepalive > Duration::zero()) {
    constexpr std::int64_t probes = 6;
    constexpr std::int64_t longest_s = 32767;  // tcp(7) takes no more; larger values are refused
    const std::int64_t idle_s = std::chrono::ceil<std::chrono::seconds>(options.keepalive).count();
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, std::min(idle_s, longest_s));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::min(idle_s / probes, longest_s));
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  }
  if (options.user_timeout > Duration::zero()) {
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               std::chrono::ceil<std::chrono::milliseconds>(options.user_timeout).count());
  }
}

}  // namespace penstock

// The real kernel: thin calls, with each errno that is not a failure of the caller's concern
// settled here.
#include "penstock/io/linux_kernel.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "ring_setup.h"

namespace penstock::io {
namespace {

/// Worker threads mean that a request blocks; penstock submits none that does, and one worker shows
/// a mistake in a test.
constexpr unsigned max_workers = 1;

/// These end the wait but not the ring: the caller reaps what is there and comes back.
bool harmless(int status) noexcept {
  return status == -ETIME || status == -EINTR || status == -EAGAIN || status == -EBUSY;
}

}  // namespace

Result<void> LinuxKernel::open_ring(io_uring& ring, const RingOptions& options) {
  if (const int status = setup_ring(ring, options); status != 0) {
    return std::unexpected(explain_setup_failure(-status));
  }
  unsigned workers[2] = {max_workers, max_workers};
  if (const int status = io_uring_register_iowq_max_workers(&ring, workers); status != 0) {
    io_uring_queue_exit(&ring);
    return fail_errno("cannot limit the ring's worker threads", -status);
  }
  if (options.features.has(Feature::registered_ring)) {
    // The ring works without it, so a failure (no slot left in this thread) is not one.
    (void)io_uring_register_ring_fd(&ring);
  }
  return {};
}

void LinuxKernel::close_ring(io_uring& ring) noexcept { io_uring_queue_exit(&ring); }

Result<io_uring_buf_ring*> LinuxKernel::open_buffer_ring(io_uring& ring, std::uint32_t entries,
                                                         std::uint16_t group) {
  int status = 0;
  io_uring_buf_ring* buffers = io_uring_setup_buf_ring(&ring, entries, group, 0, &status);
  if (buffers == nullptr) return fail_errno("cannot register a ring of receive buffers", -status);
  return buffers;
}

void LinuxKernel::close_buffer_ring(io_uring& ring, io_uring_buf_ring* buffers,
                                    std::uint32_t entries, std::uint16_t group) noexcept {
  io_uring_free_buf_ring(&ring, buffers, entries, group);
}

int LinuxKernel::enter(io_uring& ring, std::uint32_t wait_for, Instant until) noexcept {
  const Duration left = until == never ? Duration::max() : until - now();
  if (wait_for == 0 || left <= Duration::zero()) {
    const int status = io_uring_submit_and_get_events(&ring);
    return status >= 0 || harmless(status) ? 0 : status;
  }
  constexpr auto second = Duration(1s).count();
  __kernel_timespec limit{.tv_sec = left.count() / second, .tv_nsec = left.count() % second};
  io_uring_cqe* first = nullptr;
  const int status = io_uring_submit_and_wait_timeout(&ring, &first, wait_for,
                                                      until == never ? nullptr : &limit, nullptr);
  return status >= 0 || harmless(status) ? 0 : status;
}

int LinuxKernel::open_socket(const Endpoint& peer, const ConnectionOptions& options) noexcept {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (peer.is_unix() ? SOCK_NONBLOCK : 0);
  const int fd = ::socket(peer.family(), type, 0);
  if (fd < 0) return -errno;
  configure_connection(fd, peer.family(), options);
  if (options.source != nullptr) {
    if (const int status = bind_source(fd, *options.source); status < 0) {
      ::close(fd);
      return status;
    }
  }
  return fd;
}

int LinuxKernel::connect_now(int fd, const Endpoint& peer) noexcept {
  return ::connect(fd, peer.address(), peer.length()) == 0 ? 0 : -errno;
}

int LinuxKernel::accept_now(int listener_fd) noexcept {
  const int fd = ::accept4(listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}

Endpoint LinuxKernel::peer_of(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  return ::getpeername(fd, any, &length) == 0 ? Endpoint::from(any, length) : Endpoint();
}

int LinuxKernel::shutdown_write(int fd) noexcept {
  return ::shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
}

std::size_t LinuxKernel::unacknowledged(int fd) noexcept {
  int bytes = 0;
  if (::ioctl(fd, SIOCOUTQ, &bytes) != 0 || bytes <= 0) return 0;
  tcp_info tcp{};
  socklen_t length = sizeof(tcp);
  // A reset socket has thrown its queue away but still reports it.
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &length) == 0 && tcp.tcpi_state == TCP_CLOSE)
    return 0;
  return static_cast<std::size_t>(bytes);
}

std::uint32_t LinuxKernel::retransmits(int fd) noexcept {
  tcp_info tcp{};
  socklen_t length = sizeof(tcp);
  const int result = ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &length);
  return result == 0 ? tcp.tcpi_total_retrans : 0;
}

int LinuxKernel::open_pipe(std::size_t size, PipeEnds& ends) noexcept {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
  const int room = ::fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(size));
  if (room < 0 || static_cast<std::size_t>(room) < size) {
    const int status = room < 0 ? -errno : -EPERM;
    ::close(fds[0]);
    ::close(fds[1]);
    return status;
  }
  ends = {.read = fds[0], .write = fds[1]};
  return 0;
}

int LinuxKernel::splice(int from, int to, std::size_t most) noexcept {
  // Not SPLICE_F_MORE: TCP would hold the end of what it is given back.
  const auto moved = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  return moved >= 0 ? static_cast<int>(moved) : -errno;
}

void LinuxKernel::never_wait(int fd) noexcept {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void LinuxKernel::set_low_watermark(int fd, std::size_t bytes) noexcept {
  const int mark = static_cast<int>(bytes);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
}

void LinuxKernel::close(int fd) noexcept { ::close(fd); }

void LinuxKernel::close_with_reset(int fd) noexcept {
  const linger abort{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  ::close(fd);
}

Result<int> LinuxKernel::open_event() {
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  if (fd < 0) return fail_errno("cannot open an eventfd", errno);
  return fd;
}

void LinuxKernel::notify(int event_fd) noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd, &one, sizeof(one));
}

Instant LinuxKernel::now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace penstock::io

// Opening listening sockets. Only the supervisor does this, at start and at a reload, so the errors
// are written for a person who has just typed a command: what could not be done, on which address,
// why, and what to do about it.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "penstock/net/socket.h"

namespace penstock {
namespace {

std::string advice_for_ip(const Endpoint& at, int errno_value) {
  switch (errno_value) {
    case EADDRINUSE:
      return fmt::format(
          "the address is in use: `ss -ltnp 'sport = :{}'` names the process; stop it, or choose "
          "another port",
          at.port());
    case EACCES:
      return "ports below 1024 need privilege: grant the capability CAP_NET_BIND_SERVICE, lower "
             "the sysctl "
             "net.ipv4.ip_unprivileged_port_start, or choose a port from 1024 up";
    case EADDRNOTAVAIL:
      return "the address is not on this machine: `ip address` lists those that are; 0.0.0.0 and "
             "[::] stand for "
             "all of them";
    case EINVAL:  // a link-local IPv6 address without its scope
      return "the address cannot be bound as it stands; link-local IPv6 addresses are not "
             "supported";
    default:
      return errno_text(errno_value);
  }
}

std::string advice_for_unix(const Endpoint& at, int errno_value) {
  switch (errno_value) {
    case ENOENT:
      return "its folder does not exist: create it, or choose another path";
    case ENOTDIR:
      return "a part of its path is a file, not a folder";
    case EACCES:
    case EPERM:
      return "permission denied: this user may not create a file in that folder";
    case EROFS:
      return "the file system is read-only: choose a path on another one, for example in /run";
    case EADDRINUSE:
      return fmt::format("the file exists: remove {}, or choose another path", at.path());
    default:
      return errno_text(errno_value);
  }
}

std::unexpected<Error> cannot_listen(const Endpoint& at, int errno_value) {
  const std::string advice =
      at.is_unix() ? advice_for_unix(at, errno_value) : advice_for_ip(at, errno_value);
  return fail(fmt::format("cannot listen on {}: {}", at.to_string(), advice), errno_value);
}

Result<UniqueFd> open_socket(const Endpoint& at) {
  UniqueFd fd(::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.valid()) return fd;
  const int cause = errno;
  if (cause == EAFNOSUPPORT) {
    return fail(
        fmt::format("cannot listen on {}: this kernel has no support for {}; remove the address",
                    at.to_string(), at.family() == AF_INET6 ? "IPv6" : "this kind of address"),
        cause);
  }
  if (cause == EMFILE) {
    return fail(
        fmt::format(
            "cannot listen on {}: the limit of open files is reached; raise it (ulimit -n, or "
            "LimitNOFILE in the systemd unit)",
            at.to_string()),
        cause);
  }
  return cannot_listen(at, cause);
}

// A process that was killed may be gone before its ring is, which the kernel takes down in its own
// time, and a socket that the ring waits on still listens. So whoever starts at once in its place
// tries again for a moment.
constexpr int ghost_looks = 20;
constexpr int ghost_pause_ms = 25;
void wait_for_ghost() noexcept { static_cast<void>(::poll(nullptr, 0, ghost_pause_ms)); }

int bind_errno(int fd, const Endpoint& at) noexcept {
  return ::bind(fd, at.address(), at.length()) == 0 ? 0 : errno;
}

bool set_flag(int fd, int level, int option) noexcept {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

Result<UniqueFd> open_ip(const Endpoint& at, const ListenOptions& options) {
  Result<UniqueFd> fd = open_socket(at);
  if (!fd) return fd;
  const int raw = fd->get();
  // A first socket joins nobody else's: its bind has to fail when the address is taken, even by a
  // process of the same user that shares it. The option comes after the bind then, for the sockets
  // that follow.
  const bool shares_at_bind = options.reuse_port && !options.first;
  const bool prepared = set_flag(raw, SOL_SOCKET, SO_REUSEADDR) &&
                        (at.family() != AF_INET6 || set_flag(raw, IPPROTO_IPV6, IPV6_V6ONLY)) &&
                        (!shares_at_bind || set_flag(raw, SOL_SOCKET, SO_REUSEPORT));
  if (!prepared) return cannot_listen(at, errno);
  int cause = bind_errno(raw, at);
  for (int look = 1; cause == EADDRINUSE && options.patient && look < ghost_looks; ++look) {
    wait_for_ghost();
    cause = bind_errno(raw, at);
  }
  if (cause != 0) return cannot_listen(at, cause);
  if (options.reuse_port && options.first && !set_flag(raw, SOL_SOCKET, SO_REUSEPORT)) {
    return cannot_listen(at, errno);
  }
  if (::listen(raw, options.backlog) != 0) return cannot_listen(at, errno);
  return fd;
}

/// Whether the process lives that listens on what the socket is connected to. One that is not to be
/// seen from here does.
bool listener_lives(int fd) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return true;
  return ::kill(peer.pid, 0) == 0 || errno != ESRCH;
}

/// What connecting to the unix socket gives: 0 or EAGAIN (its backlog is full) when somebody
/// listens.
Result<int> answer_at(const Endpoint& at, bool patient) {
  for (int look = 1;; ++look) {
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!probe.valid()) return cannot_listen(at, errno);
    const int cause = ::connect(probe.get(), at.address(), at.length()) == 0 ? 0 : errno;
    const bool may_be_ghost = cause == EAGAIN || (cause == 0 && !listener_lives(probe.get()));
    if (!may_be_ghost || !patient || look >= ghost_looks) return cause;
    wait_for_ghost();
  }
}

/// Removes the file of a unix socket that no process listens on any more. Anything else that is
/// there is an error.
Result<void> remove_stale(const Endpoint& at, bool patient) {
  const std::string path(at.path());
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return cannot_listen(at, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return fail(
        fmt::format(
            "cannot listen on {}: a file that is not a socket has that path; remove it, or choose "
            "another path",
            at.to_string()),
        EADDRINUSE);
  }
  const auto answer = answer_at(at, patient);
  if (!answer) return std::unexpected(answer.error());
  const int cause = *answer;
  if (cause == 0 || cause == EAGAIN) {
    return fail(
        fmt::format(
            "cannot listen on {}: a process listens on it: `ss -lxp src {}` names it; stop it, or "
            "choose another path",
            at.to_string(), path),
        EADDRINUSE);
  }
  if (cause != ECONNREFUSED) {
    return fail(
        fmt::format(
            "cannot listen on {}: the socket file exists, and whether a process listens on it "
            "cannot be told ({}); remove the file, or choose another path",
            at.to_string(), errno_text(cause)),
        cause);
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    const int error = errno;
    return fail(fmt::format("cannot listen on {}: the stale socket file cannot be removed: {}",
                            at.to_string(), errno_text(error)),
                error);
  }
  return {};
}

Result<UniqueFd> open_unix(const Endpoint& at, const ListenOptions& options) {
  if (at.path().empty()) return fail("cannot listen on a unix socket without a path");
  Result<UniqueFd> fd = open_socket(at);
  if (!fd) return fd;
  const std::string path(at.path());
  int bound = ::bind(fd->get(), at.address(), at.length());
  if (bound != 0 && errno == EADDRINUSE) {
    if (const Result<void> removed = remove_stale(at, options.patient); !removed)
      return std::unexpected(removed.error());
    bound = ::bind(fd->get(), at.address(), at.length());
  }
  if (bound != 0) return cannot_listen(at, errno);

  // Between bind and listen nobody can connect, so nobody sees the file with the wrong mode.
  const bool ready = (!options.mode || ::chmod(path.c_str(), *options.mode) == 0) &&
                     ::listen(fd->get(), options.backlog) == 0;
  if (!ready) {
    const int cause = errno;
    ::unlink(path.c_str());
    return cannot_listen(at, cause);
  }
  return fd;
}

}  // namespace

Result<UniqueFd> open_listener(const Endpoint& at, const ListenOptions& options) {
  if (at.is_unix()) return open_unix(at, options);
  if (at.is_ip()) return open_ip(at, options);
  return fail("cannot listen on an unspecified address");
}

}  // namespace penstock

// Opening is all or none: the first error destroys what was opened before it.
#include "listening_sockets.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "penstock/base/log.h"
#include "penstock/net/socket.h"

namespace penstock::app {

Result<ListeningSockets> ListeningSockets::open(const config::Config& config,
                                                std::uint32_t shards) {
  ListeningSockets sockets;
  for (std::uint32_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& listener = config.listeners[i];
    for (const Endpoint& at : listener.bind) {
      auto opened = sockets.open_address(listener, ListenerId{i}, at, shards);
      if (opened) continue;
      return fail(fmt::format("listener {}: {}", listener.name, opened.error().message),
                  opened.error().errno_value);
    }
  }
  return sockets;
}

Result<void> ListeningSockets::open_address(const config::Listener& listener, ListenerId id,
                                            const Endpoint& at, std::uint32_t shards) {
  const ConnectionOptions connection{.keepalive = listener.keepalive,
                                     .user_timeout = listener.user_timeout};
  const std::uint32_t count = at.is_unix() ? 1 : shards;
  Endpoint here = at;
  for (std::uint32_t shard = 0; shard < count; ++shard) {
    auto fd = open_listener(here, {.backlog = listener.backlog,
                                   .reuse_port = count > 1,
                                   .first = shard == 0,
                                   .patient = true,
                                   .mode = listener.mode});
    if (!fd) return std::unexpected(fd.error());
    if (shard == 0) {
      const auto bound = local_endpoint(fd->get());
      if (!bound) return std::unexpected(bound.error());
      here = *bound;
      addresses_.push_back({.listener = id, .at = here});
    }
    configure_connection(fd->get(), at.family(), connection);
    sockets_.push_back(
        {.listener = id, .fd = std::move(*fd), .is_unix = at.is_unix(), .shard = shard});
  }
  if (!at.is_unix()) return {};
  struct stat status{};
  std::string path(at.path());
  if (::lstat(path.c_str(), &status) != 0) {
    return fail_errno(fmt::format("cannot look at the socket file {}", path), errno);
  }
  files_.push_back({.path = std::move(path), .device = status.st_dev, .inode = status.st_ino});
  return {};
}

std::vector<relay::LentListener> ListeningSockets::lend(ShardId shard) const {
  std::vector<relay::LentListener> lent;
  for (const Socket& socket : sockets_) {
    if (socket.is_unix || socket.shard == shard.value) {
      lent.push_back({.id = socket.listener, .fd = socket.fd.get()});
    }
  }
  return lent;
}

bool ListeningSockets::have_handshakes() const noexcept {
  return std::ranges::any_of(sockets_, [](const Socket& socket) { return !socket.is_unix; });
}

void ListeningSockets::refuse_new() {
  for (const Socket& socket : sockets_) {
    const auto dropped = drop_new_connections(socket.fd.get());
    if (!dropped) {
      log::warn("connections that start now may be reset: {}", dropped.error().message);
    }
  }
  remove_files();
}

void ListeningSockets::remove_files() noexcept {
  for (const File& file : std::exchange(files_, {})) {
    struct stat status{};
    if (::lstat(file.path.c_str(), &status) != 0) continue;
    if (status.st_dev == file.device && status.st_ino == file.inode) ::unlink(file.path.c_str());
  }
}

}  // namespace penstock::app

// Loopback sockets, non-blocking where somebody could wait for them.
#include "linux_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "penstock/base/unique_fd.h"

namespace penstock::contract {
namespace {

constexpr int buffer_bytes = 32768;

void shrink_buffers(int fd) {
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
}

Endpoint local_of(int fd) {
  auto local = local_endpoint(fd);
  REQUIRE(local.has_value());
  return *local;
}

class LinuxRemote final : public Remote {
 public:
  explicit LinuxRemote(UniqueFd fd) : fd_(std::move(fd)) {
    ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  }
  std::size_t write(std::string_view bytes) override {
    const auto count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) note_error(errno);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  std::string read(std::size_t most) override {
    std::string bytes(most, '\0');
    const auto count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count == 0) note_fin();
    if (count < 0 && errno != EAGAIN) note_error(errno);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  void send_fin() override { ::shutdown(fd_.get(), SHUT_WR); }
  void close() override { fd_.reset(); }
  void reset() override {
    const linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    fd_.reset();
  }
  Endpoint local() override { return local_of(fd_.get()); }

 private:
  UniqueFd fd_;
};

class LinuxServer final : public Server {
 public:
  LinuxServer(UniqueFd fd, const Endpoint& at) : fd_(std::move(fd)), at_(at) {}
  Endpoint at() const override { return at_; }
  std::unique_ptr<Remote> accept() override {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) return nullptr;
    return std::make_unique<LinuxRemote>(std::move(fd));
  }

 private:
  UniqueFd fd_;
  Endpoint at_;
};

}  // namespace

LinuxWorld::LinuxWorld() {
  std::signal(SIGPIPE, SIG_IGN);  // as the process that serves does
  const auto probed = io::probe_features({});
  REQUIRE(probed.has_value());
  features_ = *probed;
  char pattern[] = "/tmp/penstock-contract-XXXXXX";
  REQUIRE(::mkdtemp(pattern) != nullptr);
  folder_ = pattern;
}

LinuxWorld::~LinuxWorld() {
  if (notifier_.joinable()) notifier_.join();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Endpoint LinuxWorld::free_address(Family family) {
  std::string text = "127.0.0.1:0";
  if (family == Family::v6) text = "[::1]:0";
  if (family == Family::unix_path) text = "unix:" + folder_ + "/" + std::to_string(paths_++);
  const auto parsed = Endpoint::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

OwnListener LinuxWorld::listen(Family family) {
  auto fd = open_listener(free_address(family), {});
  REQUIRE(fd.has_value());
  shrink_buffers(fd->get());
  const Endpoint at = local_of(fd->get());
  return {.fd = fd->release(), .at = at};
}

std::unique_ptr<Remote> LinuxWorld::connect(const Endpoint& to) {
  UniqueFd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd.valid());
  shrink_buffers(fd.get());
  REQUIRE(::connect(fd.get(), to.address(), to.length()) == 0);
  return std::make_unique<LinuxRemote>(std::move(fd));
}

std::unique_ptr<Server> LinuxWorld::serve(Family family, int backlog) {
  auto fd = open_listener(free_address(family), {.backlog = backlog});
  REQUIRE(fd.has_value());
  shrink_buffers(fd->get());
  const Endpoint at = local_of(fd->get());
  return std::make_unique<LinuxServer>(std::move(*fd), at);
}

Endpoint LinuxWorld::refusing() {
  // A port that was just bound and closed again: nobody else gets it at once.
  auto fd = open_listener(free_address(Family::v4), {});
  REQUIRE(fd.has_value());
  return local_of(fd->get());
}

void LinuxWorld::pause() { ::poll(nullptr, 0, 1); }

void LinuxWorld::notify_later(int event_fd) {
  notifier_ = std::thread([this, event_fd] {
    ::poll(nullptr, 0, 5);
    kernel_.notify(event_fd);
  });
}

}  // namespace penstock::contract

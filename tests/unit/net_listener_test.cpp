// open_listener over the real kernel, on loopback and in a folder of its own: what it opens, and
// what its errors say.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "penstock/net/socket.h"
#include "socket_option.h"

namespace penstock {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] Endpoint socket(const std::string& name) const {
    const Result<Endpoint> endpoint = Endpoint::parse("unix:" + file(name));
    REQUIRE(endpoint.has_value());
    return *endpoint;
  }

 private:
  std::filesystem::path path_;
};

Endpoint address(std::string_view text) {
  const Result<Endpoint> endpoint = Endpoint::parse(text);
  REQUIRE(endpoint.has_value());
  return *endpoint;
}

UniqueFd connected(const Endpoint& to) {
  UniqueFd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd.valid());
  if (::connect(fd.get(), to.address(), to.length()) != 0) fd.reset();
  return fd;
}

bool has_ipv6() {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM, 0));
  const Endpoint loopback = address("[::1]:0");
  return fd.valid() && ::bind(fd.get(), loopback.address(), loopback.length()) == 0;
}

bool mentions(const Error& error, std::string_view part) {
  UNSCOPED_INFO(error.message);
  return error.message.find(part) != std::string::npos;
}

TEST_CASE("a listener accepts connections without blocking and dies with exec", "[net]") {
  const Result<UniqueFd> listener = open_listener(address("127.0.0.1:0"), {});
  REQUIRE(listener.has_value());
  CHECK((::fcntl(listener->get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(listener->get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(socket_option(listener->get(), SOL_SOCKET, SO_REUSEADDR) == 1);
  CHECK(socket_option(listener->get(), SOL_SOCKET, SO_REUSEPORT) == 1);
  CHECK((::accept(listener->get(), nullptr, nullptr) == -1 && errno == EAGAIN));

  const Result<Endpoint> at = local_endpoint(listener->get());
  REQUIRE(at.has_value());
  CHECK(at->port() != 0);
  const UniqueFd client = connected(*at);
  REQUIRE(client.valid());
  const UniqueFd served(::accept(listener->get(), nullptr, nullptr));
  CHECK(served.valid());
}

TEST_CASE("an IPv6 listener takes IPv6 only, so that the port is free for IPv4", "[net]") {
  if (!has_ipv6()) SKIP("this machine has no IPv6 loopback");
  const Result<UniqueFd> v6 = open_listener(address("[::]:0"), {});
  REQUIRE(v6.has_value());
  CHECK(socket_option(v6->get(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  const std::uint16_t port = local_endpoint(v6->get())->port();
  CHECK(connected(address("[::1]:0").with_port(port)).valid());
  CHECK_FALSE(connected(address("127.0.0.1:0").with_port(port)).valid());
}

TEST_CASE("sockets of several shards share one address", "[net]") {
  const Result<UniqueFd> first = open_listener(address("127.0.0.1:0"), {.first = true});
  REQUIRE(first.has_value());
  const Endpoint at = *local_endpoint(first->get());
  const Result<UniqueFd> second = open_listener(at, {});
  REQUIRE(second.has_value());
  CHECK(*local_endpoint(second->get()) == at);

  // Both get connections: with 64 of them, all on one side has a chance of 2 to the power of -63.
  std::array<UniqueFd, 64> clients;
  for (UniqueFd& client : clients) {
    client = connected(at);
    REQUIRE(client.valid());
  }
  CHECK(UniqueFd(::accept(first->get(), nullptr, nullptr)).valid());
  CHECK(UniqueFd(::accept(second->get(), nullptr, nullptr)).valid());
}

TEST_CASE("an address in use is refused with the way to find out who has it", "[net]") {
  const bool shared = GENERATE(false, true);
  const Result<UniqueFd> owner = open_listener(address("127.0.0.1:0"), {.reuse_port = shared});
  REQUIRE(owner.has_value());
  const Endpoint at = *local_endpoint(owner->get());
  const Result<UniqueFd> second = open_listener(at, {.first = true});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().errno_value == EADDRINUSE);
  CHECK(mentions(second.error(), "cannot listen on " + at.to_string()));
  CHECK(mentions(second.error(), "ss -ltnp 'sport = :" + std::to_string(at.port()) + "'"));
}

TEST_CASE("an address can be used again while its old connections linger", "[net]") {
  Result<UniqueFd> listener = open_listener(address("127.0.0.1:0"), {.first = true});
  REQUIRE(listener.has_value());
  const Endpoint at = *local_endpoint(listener->get());
  const UniqueFd client = connected(at);
  UniqueFd served(::accept(listener->get(), nullptr, nullptr));
  REQUIRE(served.valid());
  listener->reset();
  CHECK(open_listener(at, {.first = true}).has_value());
  served.reset();  // closes first, so that this side has the TIME_WAIT
  CHECK(open_listener(at, {.first = true}).has_value());
}

TEST_CASE("an address of another machine is refused with a look at the own ones", "[net]") {
  const Result<UniqueFd> listener = open_listener(address("192.0.2.1:0"), {});
  REQUIRE_FALSE(listener.has_value());
  CHECK(listener.error().errno_value == EADDRNOTAVAIL);
  CHECK(mentions(listener.error(), "not on this machine"));
  CHECK(mentions(listener.error(), "ip address"));
}

/// Opens the listener in a process of an unprivileged user; the error's text, or "opened".
std::string opened_by_nobody(const Endpoint& at) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    const Result<UniqueFd> listener = open_listener(at, {});
    const std::string text = listener ? "opened" : listener.error().message;
    ::_exit(::write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
  }
  ::close(ends[1]);
  const UniqueFd reader(ends[0]);
  std::string text(1000, '\0');
  const ssize_t length = ::read(reader.get(), text.data(), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  ::waitpid(child, nullptr, 0);
  return text;
}

TEST_CASE("a privileged port is refused with the capability that it needs", "[net]") {
  int first_free = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_free;
  if (first_free <= 1) SKIP("this machine lets everybody bind every port");
  const std::string text = opened_by_nobody(address("127.0.0.1:1"));
  CAPTURE(text);
  CHECK(text.find("CAP_NET_BIND_SERVICE") != std::string::npos);
  CHECK(text.find("127.0.0.1:1") != std::string::npos);
}

TEST_CASE("a unix listener has its mode before anybody can connect", "[net]") {
  const Folder folder;
  const mode_t mode = GENERATE(0600u, 0660u, 0777u);
  const mode_t previous = ::umask(022);
  const Result<UniqueFd> listener = open_listener(folder.socket("a.sock"), {.mode = mode});
  ::umask(previous);
  REQUIRE(listener.has_value());
  struct stat status{};
  REQUIRE(::stat(folder.file("a.sock").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == mode);
  CHECK(connected(folder.socket("a.sock")).valid());
  CHECK(*local_endpoint(listener->get()) == folder.socket("a.sock"));
}

TEST_CASE("a stale unix socket file is replaced", "[net]") {
  const Folder folder;
  const Endpoint at = folder.socket("a.sock");
  open_listener(at, {})->reset();
  REQUIRE(std::filesystem::exists(folder.file("a.sock")));
  CHECK_FALSE(connected(at).valid());
  const Result<UniqueFd> listener = open_listener(at, {});
  REQUIRE(listener.has_value());
  CHECK(connected(at).valid());
}

TEST_CASE("a unix socket that somebody listens on is left alone", "[net]") {
  const Folder folder;
  const Endpoint at = folder.socket("a.sock");
  const Result<UniqueFd> owner = open_listener(at, {.backlog = 0});
  REQUIRE(owner.has_value());
  const UniqueFd waiting = connected(at);  // fills the backlog: the next connect gives EAGAIN
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Result<UniqueFd> second = open_listener(at, {});
    REQUIRE_FALSE(second.has_value());
    CHECK(mentions(second.error(), "a process listens on it"));
    CHECK(mentions(second.error(), "ss -lxp"));
  }
  CHECK(UniqueFd(::accept(owner->get(), nullptr, nullptr)).valid());
  CHECK(connected(at).valid());
}

/// A listening unix socket whose process is dead: this one holds it, as a ring that the kernel has
/// not taken down yet would.
UniqueFd ghost_listener(const Endpoint& at) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(::bind(fd.get(), at.address(), at.length()) == 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::listen(fd.get(), 8));
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  return fd;
}

TEST_CASE("an address that a killed process still holds is waited for, by those who are patient",
          "[net]") {
  const Folder folder;
  const bool is_unix = GENERATE(true, false);
  UniqueFd ghost;
  Endpoint at = folder.socket("a.sock");
  if (is_unix) {
    ghost = ghost_listener(at);
  } else {
    ghost = std::move(*open_listener(address("127.0.0.1:0"), {.first = true}));
    at = *local_endpoint(ghost.get());
  }
  CHECK_FALSE(open_listener(at, {.first = true}).has_value());
  std::thread kernel([&ghost] {
    ::poll(nullptr, 0, 100);
    ghost.reset();
  });
  const Result<UniqueFd> listener = open_listener(at, {.first = true, .patient = true});
  kernel.join();
  REQUIRE(listener.has_value());
  CHECK(connected(at).valid());
}

TEST_CASE("patience ends, and a listener that lives is told at once", "[net]") {
  const Folder folder;
  const UniqueFd ghost = ghost_listener(folder.socket("ghost.sock"));
  const auto refused = open_listener(folder.socket("ghost.sock"), {.patient = true});
  REQUIRE_FALSE(refused.has_value());
  CHECK(mentions(refused.error(), "a process listens on it"));
  const Result<UniqueFd> living = open_listener(folder.socket("a.sock"), {});
  REQUIRE(living.has_value());
  const auto began = std::chrono::steady_clock::now();
  CHECK_FALSE(open_listener(folder.socket("a.sock"), {.patient = true}).has_value());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(200));
}

TEST_CASE("a file that is no socket is never removed", "[net]") {
  const Folder folder;
  std::ofstream(folder.file("a.sock")) << "precious";
  const Result<UniqueFd> listener = open_listener(folder.socket("a.sock"), {});
  REQUIRE_FALSE(listener.has_value());
  CHECK(mentions(listener.error(), "not a socket"));
  std::string content;
  std::ifstream(folder.file("a.sock")) >> content;
  CHECK(content == "precious");
}

TEST_CASE("a unix path whose folder does not exist is refused with the remedy", "[net]") {
  const Folder folder;
  const Result<UniqueFd> listener = open_listener(folder.socket("missing/a.sock"), {});
  REQUIRE_FALSE(listener.has_value());
  CHECK(mentions(listener.error(), "folder does not exist"));
  std::ofstream(folder.file("file")) << "x";
  CHECK(mentions(open_listener(folder.socket("file/a.sock"), {}).error(), "not a folder"));
}

TEST_CASE("nothing listens on an unspecified address", "[net]") {
  CHECK_FALSE(open_listener(Endpoint(), {}).has_value());
  CHECK_FALSE(local_endpoint(-1).has_value());
}

}  // namespace
}  // namespace penstock

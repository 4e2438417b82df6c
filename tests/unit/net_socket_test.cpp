// The filter that ends accepting without resets, and the options of connections, over the real
// kernel on loopback.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <string>

#include "penstock/net/socket.h"
#include "socket_option.h"

namespace penstock {
namespace {

constexpr int patience_ms = 5000;
constexpr int no_answer_ms = 200;

UniqueFd connecting(const Endpoint& to) {
  UniqueFd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(fd.valid());
  const int status = ::connect(fd.get(), to.address(), to.length());
  REQUIRE((status == 0 || errno == EINPROGRESS));
  return fd;
}

bool ready(int fd, short events, int timeout_ms) {
  pollfd poll{.fd = fd, .events = events, .revents = 0};
  return ::poll(&poll, 1, timeout_ms) == 1;
}

UniqueFd opened(const Endpoint& to) {
  UniqueFd fd = connecting(to);
  REQUIRE(ready(fd.get(), POLLOUT, patience_ms));
  return fd;
}

bool carries(const UniqueFd& from, const UniqueFd& to) {
  char byte = 'x';
  if (::send(from.get(), &byte, 1, MSG_NOSIGNAL) != 1) return false;
  return ready(to.get(), POLLIN, patience_ms) && ::recv(to.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

bool carries_both_ways(const UniqueFd& a, const UniqueFd& b) {
  return carries(a, b) && carries(b, a);
}

TEST_CASE("after the filter, queued connections are served and new ones get no answer", "[net]") {
  const std::string text = GENERATE("127.0.0.1:0", "[::1]:0");
  CAPTURE(text);
  const Result<UniqueFd> listener = open_listener(*Endpoint::parse(text), {});
  if (!listener && text.front() == '[') {
    SKIP("this machine has no IPv6 loopback");
  }
  REQUIRE(listener.has_value());
  const Endpoint at = *local_endpoint(listener->get());

  const UniqueFd old_client = opened(at);
  const UniqueFd old_served(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK));
  REQUIRE(old_served.valid());
  const UniqueFd queued_client = opened(at);

  REQUIRE(drop_new_connections(listener->get()).has_value());

  const UniqueFd new_client = connecting(at);
  CHECK_FALSE(ready(new_client.get(), POLLOUT, no_answer_ms));
  const UniqueFd queued_served(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK));
  REQUIRE(queued_served.valid());
  CHECK(carries_both_ways(old_client, old_served));
  CHECK(carries_both_ways(queued_client, queued_served));
  CHECK((::accept(listener->get(), nullptr, nullptr) == -1 && errno == EAGAIN));
}

TEST_CASE("after the filter, a connection that is half open is completed and carries data",
          "[net]") {
  const Result<UniqueFd> listener = open_listener(*Endpoint::parse("127.0.0.1:0"), {});
  REQUIRE(listener.has_value());
  const Endpoint at = *local_endpoint(listener->get());
  // The kernel keeps the connection half open until its first data comes.
  const int seconds = 30;
  REQUIRE(::setsockopt(listener->get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) ==
          0);
  const UniqueFd client = opened(at);
  REQUIRE_FALSE(ready(listener->get(), POLLIN, 0));

  REQUIRE(drop_new_connections(listener->get()).has_value());

  REQUIRE(::send(client.get(), "x", 1, MSG_NOSIGNAL) == 1);
  REQUIRE(ready(listener->get(), POLLIN, patience_ms));
  const UniqueFd served(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK));
  REQUIRE(served.valid());
  char byte = 0;
  CHECK(::recv(served.get(), &byte, 1, 0) == 1);
  CHECK(carries_both_ways(client, served));
}

TEST_CASE("the other sockets of an address go on while one is filtered and closed", "[net]") {
  const Result<UniqueFd> ending = open_listener(*Endpoint::parse("127.0.0.1:0"), {.first = true});
  REQUIRE(ending.has_value());
  const Endpoint at = *local_endpoint(ending->get());
  REQUIRE(drop_new_connections(ending->get()).has_value());
  const Result<UniqueFd> staying = open_listener(at, {});
  REQUIRE(staying.has_value());
  // A SYN that the filter drops is sent again a second later and hashes to the same socket; a few
  // of many are enough.
  int answered = 0;
  for (int attempt = 0; attempt < 64 && answered < 3; ++attempt) {
    const UniqueFd client = connecting(at);
    if (ready(client.get(), POLLOUT, 20)) ++answered;
  }
  CHECK(answered == 3);
}

TEST_CASE("the filter does nothing to unix sockets and fails for what is no socket", "[net]") {
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
  const UniqueFd a(pair[0]);
  const UniqueFd b(pair[1]);
  CHECK(drop_new_connections(a.get()).has_value());
  CHECK(carries_both_ways(a, b));
  CHECK_FALSE(drop_new_connections(-1).has_value());
}

TEST_CASE("a connection gets its options", "[net]") {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  configure_connection(fd.get(), AF_INET, {.keepalive = 60s, .user_timeout = 45s});
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(socket_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 10);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT) == 6);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 45000);
}

TEST_CASE("short and long keepalives stay inside what the kernel takes", "[net]") {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  configure_connection(fd.get(), AF_INET, {.keepalive = 250ms, .user_timeout = 1ns});
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 1);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 1);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 1);
  configure_connection(fd.get(), AF_INET, {.keepalive = 1000h, .user_timeout = 10000h});
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 32767);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 32767);
}

TEST_CASE("options that are off leave the kernel's defaults", "[net]") {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const int idle = socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE);
  configure_connection(fd.get(), AF_INET, {});
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(socket_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE) == idle);
  CHECK(socket_option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
}

TEST_CASE("a socket connects from the source that it is bound to, at a port of its own", "[net]") {
  const Result<UniqueFd> listener = open_listener(*Endpoint::parse("127.0.0.1:0"), {});
  REQUIRE(listener.has_value());
  const Endpoint at = *local_endpoint(listener->get());
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(bind_source(client.get(), *Endpoint::parse("127.0.0.9:0")) == 0);
  CHECK(local_endpoint(client.get())->port() == 0);  // chosen by connect()
  REQUIRE(::connect(client.get(), at.address(), at.length()) == 0);
  CHECK(local_endpoint(client.get())->host() == "127.0.0.9");
  CHECK(local_endpoint(client.get())->port() != 0);

  const UniqueFd foreign(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(bind_source(foreign.get(), *Endpoint::parse("192.0.2.1:0")) == -EADDRNOTAVAIL);
}

}  // namespace
}  // namespace penstock

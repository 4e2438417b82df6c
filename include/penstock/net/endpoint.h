// Endpoint: an address that a socket can be bound or connected to: IPv4, IPv6 or a unix path. A
// value; parsing accepts what the configuration accepts (IP literals with a port, `unix:/path`), so
// a host name is an error that says so.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

class Endpoint {
 public:
  /// The unspecified endpoint: family() is AF_UNSPEC.
  Endpoint() noexcept;

  /// Parses "10.0.0.1:80", "[::1]:80" or "unix:/run/app.sock". Error: a sentence that says what is
  /// wrong and what is expected (a host name, a missing or bad port, an unbracketed IPv6 address, a
  /// path over 107 bytes).
  [[nodiscard]] static Result<Endpoint> parse(std::string_view text);
  /// From what the kernel filled in; an IPv4-mapped IPv6 address becomes IPv4. A nameless unix
  /// socket has an empty path.
  [[nodiscard]] static Endpoint from(const sockaddr* address, socklen_t length) noexcept;

  [[nodiscard]] int family() const noexcept { return storage_.any.sa_family; }
  [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
  [[nodiscard]] bool is_ip() const noexcept { return family() == AF_INET || family() == AF_INET6; }
  [[nodiscard]] const sockaddr* address() const noexcept { return &storage_.any; }
  [[nodiscard]] socklen_t length() const noexcept { return length_; }
  /// Host byte order; 0 for unix.
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] Endpoint with_port(std::uint16_t port) const noexcept;
  /// The 4 or 16 address bytes in network order; empty for unix.
  [[nodiscard]] std::span<const std::uint8_t> address_bytes() const noexcept;
  /// 0.0.0.0 or [::], which is every address of the machine to bind() and none to connect().
  [[nodiscard]] bool is_any_address() const noexcept;
  /// The unix path without "unix:"; empty for IP.
  [[nodiscard]] std::string_view path() const noexcept;
  /// Canonical text, what parse() reads back: "10.0.0.1:80", "[::1]:80", "unix:/run/app.sock".
  [[nodiscard]] std::string to_string() const;
  /// The address alone, for a Host header or a log field: "10.0.0.1", "[::1]",
  /// "unix:/run/app.sock".
  [[nodiscard]] std::string host() const;
  /// The same, an IPv6 address without its brackets, as protocols and libraries take it.
  [[nodiscard]] std::string bare_host() const;

  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept;

 private:
  /// The IPv4 endpoint inside an IPv4-mapped one.
  [[nodiscard]] Endpoint unmapped() const noexcept;

  union Storage {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un un;
  } storage_;
  socklen_t length_ = 0;
};

}  // namespace penstock

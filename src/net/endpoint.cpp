// Endpoint as a value: what the kernel fills in, comparisons and the canonical text. Parsing is in
// endpoint_parse.cpp.
#include "penstock/net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace penstock {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

template <std::size_t N>
bool is_ipv4_mapped(const std::uint8_t (&bytes)[N]) noexcept {
  static constexpr std::array<std::uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(prefix.begin(), prefix.end(), bytes);
}

}  // namespace

Endpoint::Endpoint() noexcept : storage_{} { std::memset(&storage_, 0, sizeof storage_); }

Endpoint Endpoint::from(const sockaddr* address, socklen_t length) noexcept {
  Endpoint result;
  const std::size_t size = std::min<std::size_t>(length, sizeof result.storage_);
  if (address == nullptr || size < sizeof(sa_family_t)) return result;
  std::memcpy(&result.storage_, address, size);
  switch (result.family()) {
    case AF_INET:
      result.length_ = sizeof(sockaddr_in);
      break;
    case AF_INET6:
      result.length_ = sizeof(sockaddr_in6);
      if (is_ipv4_mapped(result.storage_.v6.sin6_addr.s6_addr)) return result.unmapped();
      break;
    case AF_UNIX:
      // The kernel's length counts the final zero, that of other callers need not. An abstract name
      // (a leading zero) is no path: it counts as nameless.
      result.storage_.un.sun_path[sizeof result.storage_.un.sun_path - 1] = '\0';
      result.length_ = static_cast<socklen_t>(path_offset);
      if (!result.path().empty()) {
        result.length_ = static_cast<socklen_t>(path_offset + result.path().size() + 1);
      }
      break;
    default:
      return Endpoint();
  }
  return result;
}

Endpoint Endpoint::unmapped() const noexcept {
  Endpoint result;
  result.storage_.v4.sin_family = AF_INET;
  result.storage_.v4.sin_port = storage_.v6.sin6_port;
  std::memcpy(&result.storage_.v4.sin_addr, &storage_.v6.sin6_addr.s6_addr[12], 4);
  result.length_ = sizeof(sockaddr_in);
  return result;
}

std::uint16_t Endpoint::port() const noexcept {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

Endpoint Endpoint::with_port(std::uint16_t port) const noexcept {
  Endpoint result = *this;
  if (family() == AF_INET) result.storage_.v4.sin_port = htons(port);
  if (family() == AF_INET6) result.storage_.v6.sin6_port = htons(port);
  return result;
}

std::span<const std::uint8_t> Endpoint::address_bytes() const noexcept {
  if (family() == AF_INET) {
    return {reinterpret_cast<const std::uint8_t*>(&storage_.v4.sin_addr), 4};
  }
  if (family() == AF_INET6) return {storage_.v6.sin6_addr.s6_addr, 16};
  return {};
}

bool Endpoint::is_any_address() const noexcept {
  return is_ip() && std::ranges::all_of(address_bytes(), [](auto byte) { return byte == 0; });
}

std::string_view Endpoint::path() const noexcept {
  if (!is_unix()) return {};
  return {storage_.un.sun_path, ::strnlen(storage_.un.sun_path, sizeof storage_.un.sun_path)};
}

std::string Endpoint::host() const {
  return family() == AF_INET6 ? fmt::format("[{}]", bare_host()) : bare_host();
}

std::string Endpoint::bare_host() const {
  if (is_unix()) return fmt::format("unix:{}", path());
  if (!is_ip()) return "unspecified";
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family(), address_bytes().data(), text.data(), text.size());
  return text.data();
}

std::string Endpoint::to_string() const {
  return is_ip() ? fmt::format("{}:{}", host(), port()) : host();
}

bool operator==(const Endpoint& a, const Endpoint& b) noexcept {
  if (a.family() != b.family() || a.port() != b.port() || a.path() != b.path()) return false;
  if (a.family() == AF_INET6 && a.storage_.v6.sin6_scope_id != b.storage_.v6.sin6_scope_id) {
    return false;
  }
  return std::ranges::equal(a.address_bytes(), b.address_bytes());
}

}  // namespace penstock

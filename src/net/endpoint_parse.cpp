// Endpoint::parse: IP literals with a port, or unix:/path. Most of it is about saying what is wrong
// with everything else: each error is a sentence that shows the text, the fault and what to write
// instead.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "penstock/net/endpoint.h"

namespace penstock {
namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;

/// The text in quotes, fit for one line of a terminal.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return result + '"';
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Address>
std::optional<Address> read_address(int family, std::string_view text) {
  Address address{};
  // A zero byte would end the text that inet_pton sees early.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (::inet_pton(family, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return address;
}
std::optional<in_addr> read_v4(std::string_view text) {
  return read_address<in_addr>(AF_INET, text);
}
std::optional<in6_addr> read_v6(std::string_view text) {
  return read_address<in6_addr>(AF_INET6, text);
}

Result<std::uint16_t> read_port(std::string_view text, std::string_view whole) {
  if (text.empty()) {
    return fail(fmt::format("the address {} has no port after the colon", quoted(whole)));
  }
  if (!std::ranges::all_of(text, is_digit)) {
    return fail(
        fmt::format("the port {} of the address {} is not a number: write one from 0 to 65535",
                    quoted(text), quoted(whole)));
  }
  std::uint16_t port = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
    return fail(fmt::format("the port {} of the address {} is too large: the largest is 65535",
                            text, quoted(whole)));
  }
  return port;
}

Result<Endpoint> parse_unix(std::string_view text) {
  const std::string_view path = text.substr(unix_prefix.size());
  if (path.empty()) {
    return fail(
        fmt::format("the address {} has no path: write \"unix:/run/app.sock\"", quoted(text)));
  }
  if (path.front() != '/') {
    return fail(
        fmt::format("the path of the address {} is relative: write an absolute one, for example "
                    "\"unix:/run/app.sock\"",
                    quoted(text)));
  }
  if (path.find('\0') != std::string_view::npos) {
    return fail(fmt::format("the path of the address {} contains a zero byte", quoted(text)));
  }
  if (path.size() > longest_path) {
    return fail(fmt::format(
        "the path of the address {} is {} bytes long: a unix socket's path has at most {}",
        quoted(text), path.size(), longest_path));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return Endpoint::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

Result<Endpoint> parse_v6(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) {
    return fail(
        fmt::format("the address {} has no closing bracket: write \"[::1]:80\"", quoted(text)));
  }
  const std::string_view inside = text.substr(1, close - 1);
  const std::string_view rest = text.substr(close + 1);
  if (inside.find('%') != std::string_view::npos) {
    return fail(fmt::format(
        "the address {} has a scope id (the part after %), which is not supported: use an "
        "address that is not link-local",
        quoted(text)));
  }
  const std::optional<in6_addr> ip = read_v6(inside);
  if (!ip) {
    return fail(
        fmt::format("{} in the address {} is not an IPv6 address", quoted(inside), quoted(text)));
  }
  if (rest.empty()) {
    return fail(
        fmt::format("the address {} has no port: write for example \"{}:80\"", quoted(text), text));
  }
  if (rest.front() != ':') {
    return fail(fmt::format("the address {} has {} where a colon and a port are expected",
                            quoted(text), quoted(rest)));
  }
  const Result<std::uint16_t> port = read_port(rest.substr(1), text);
  if (!port) return std::unexpected(port.error());

  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(*port);
  address.sin6_addr = *ip;
  const Endpoint result =
      Endpoint::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result.family() == AF_INET) {
    return fail(fmt::format("the address {} is an IPv4-mapped IPv6 address: write \"{}\"",
                            quoted(text), result.to_string()));
  }
  return result;
}

/// The error for a text without a colon.
std::unexpected<Error> no_port(std::string_view text) {
  if (read_v4(text)) {
    return fail(
        fmt::format("the address {} has no port: write for example \"{}:80\"", quoted(text), text));
  }
  if (text.front() == '/') {
    return fail(
        fmt::format("the address {} is a bare path: write \"unix:{}\"", quoted(text), text));
  }
  if (std::ranges::all_of(text, is_digit)) {
    return fail(
        fmt::format("the address {} is only a number: write an address and a port, for example "
                    "\"0.0.0.0:{}\"",
                    quoted(text), text));
  }
  return fail(fmt::format(
      "{} is not an address: write an IP address and a port, for example \"10.0.0.1:80\" or "
      "\"[::1]:80\", or \"unix:/run/app.sock\"",
      quoted(text)));
}

/// The error for a text with several colons that does not start with a bracket.
std::unexpected<Error> many_colons(std::string_view text) {
  const std::size_t last = text.rfind(':');
  const std::string_view before = text.substr(0, last);
  const std::string_view after = text.substr(last + 1);
  // "::1:80" is an IPv6 address as it stands; whoever writes it most likely means the port 80 of
  // ::1.
  const bool ends_in_port = !after.empty() && std::ranges::all_of(after, is_digit);
  if (ends_in_port && read_v6(before)) {
    return fail(fmt::format("the IPv6 address in {} needs brackets: write \"[{}]:{}\"",
                            quoted(text), before, after));
  }
  if (read_v6(text)) {
    return fail(
        fmt::format("the IPv6 address {} needs brackets and a port: write for example \"[{}]:80\"",
                    quoted(text), text));
  }
  return fail(fmt::format(
      "{} is not an address: write an IP address and a port, for example \"10.0.0.1:80\" or "
      "\"[::1]:80\"",
      quoted(text)));
}

Result<Endpoint> parse_v4(std::string_view text, std::size_t colon) {
  const std::string_view host = text.substr(0, colon);
  const std::string_view after = text.substr(colon + 1);
  if (after.starts_with("//")) {
    return fail(fmt::format(
        "{} is a URL: write an IP address and a port, for example \"10.0.0.1:80\"", quoted(text)));
  }
  if (host.empty() || host == "*") {
    return fail(fmt::format(
        "the address {} names no IP address: write \"0.0.0.0:{}\" for every IPv4 address of "
        "the machine, \"[::]:{}\" for every IPv6 address",
        quoted(text), after, after));
  }
  const std::optional<in_addr> ip = read_v4(host);
  if (!ip && std::ranges::any_of(host, is_letter)) {
    return fail(
        fmt::format("{} in the address {} is a host name, and names are not looked up: write an IP "
                    "address, for example \"10.0.0.1:80\"",
                    quoted(host), quoted(text)));
  }
  if (!ip) {
    return fail(fmt::format(
        "{} in the address {} is not an IPv4 address (four numbers from 0 to 255, without "
        "leading zeros)",
        quoted(host), quoted(text)));
  }
  const Result<std::uint16_t> port = read_port(after, text);
  if (!port) return std::unexpected(port.error());

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr = *ip;
  return Endpoint::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  if (text.empty()) {
    return fail(
        "the address is empty: write an IP address and a port, for example \"10.0.0.1:80\" or "
        "\"[::1]:80\", or \"unix:/run/app.sock\"");
  }
  if (text.starts_with(unix_prefix)) return parse_unix(text);
  if (text.front() == '[') return parse_v6(text);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return no_port(text);
  if (text.find(':', colon + 1) != std::string_view::npos &&
      !text.substr(colon).starts_with("://")) {
    return many_colons(text);
  }
  return parse_v4(text, colon);
}

}  // namespace penstock

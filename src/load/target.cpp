// Names are resolved with getaddrinfo(3), once, before anything is measured.
#include "target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <charconv>
#include <memory>
#include <utility>

namespace penstock::load {
namespace {

constexpr std::size_t most_sources = 65536;

std::string host_of(std::string_view authority) {
  if (authority.starts_with("unix:")) return "localhost";
  std::string host(authority.substr(0, authority.rfind(':')));
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

/// Everything but the endpoint, and what is to be resolved for that.
std::pair<Target, std::string> take_apart(std::string_view text) {
  Target target{.endpoint = {}, .path = "/"};
  std::string authority(text);
  for (const std::string_view scheme : {"http://", "https://", "tcp://", "tls://"}) {
    if (!text.starts_with(scheme)) continue;
    target.secure = scheme == "https://" || scheme == "tls://";
    authority = text.substr(scheme.size());
    if (const std::size_t slash = authority.find('/'); slash != std::string::npos) {
      target.path = authority.substr(slash);
      authority.resize(slash);
    }
    const std::size_t bracket = authority.rfind(']');
    const std::size_t colon = authority.rfind(':');
    const bool has_port =
        colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
    if (!has_port && scheme.starts_with("http")) authority += target.secure ? ":443" : ":80";
  }
  target.host = host_of(authority);
  return {std::move(target), std::move(authority)};
}

}  // namespace

Result<Endpoint> resolve(std::string_view text) {
  if (auto literal = Endpoint::parse(text)) return literal;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.starts_with("unix:") || text.starts_with('[')) {
    return Endpoint::parse(text);
  }
  const std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  std::uint16_t number = 0;  // getaddrinfo(3) takes a larger one for what is left of it
  const char* port_end = port.data() + port.size();
  if (const auto [end, error] = std::from_chars(port.data(), port_end, number);
      error != std::errc{} || end != port_end) {
    return fail(fmt::format("{}: \"{}\" is no port; expected a number up to 65535", text, port));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(
        fmt::format("cannot resolve {}: {}; expected HOST:PORT, an address and a port, or "
                    "unix:PATH",
                    text, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  return Endpoint::from(found->ai_addr, found->ai_addrlen);
}

Result<Target> parse_target(std::string_view text) {
  auto [target, authority] = take_apart(text);
  auto endpoint = resolve(authority);
  if (!endpoint) return std::unexpected(endpoint.error());
  target.endpoint = *endpoint;
  return std::move(target);
}

Result<Target> parse_target_elsewhere(std::string_view text, const Endpoint& elsewhere) {
  Target target = take_apart(text).first;
  if (target.host.empty()) return fail(fmt::format("\"{}\" names no host", text));
  target.endpoint = elsewhere;
  return target;
}

Result<Endpoint> parse_address(std::string_view text) {
  auto with_port = Endpoint::parse(text);
  if (with_port && with_port->is_ip()) return with_port;
  const bool is_v6 = text.find(':') != std::string_view::npos;
  auto alone = Endpoint::parse(is_v6 ? fmt::format("[{}]:0", text) : fmt::format("{}:0", text));
  if (alone && alone->is_ip()) return alone;
  return fail(
      fmt::format("\"{}\" is no address; expected one such as 10.0.0.1, 10.0.0.1:5000 or "
                  "[2001:db8::1]:5000",
                  text));
}

Result<std::vector<Endpoint>> parse_sources(std::string_view text) {
  std::vector<Endpoint> sources;
  while (!text.empty()) {
    const std::string item(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t slash = item.find('/');
    const std::string host = item.substr(0, slash);
    const bool is_v6 = host.find(':') != std::string::npos;
    auto first = Endpoint::parse(is_v6 ? fmt::format("[{}]:0", host) : host + ":0");
    if (!first || !first->is_ip()) {
      return fail(
          fmt::format("\"{}\" is no source address; expected addresses separated by commas, "
                      "or a network such as 127.0.0.0/24",
                      item));
    }
    if (slash == std::string::npos) {
      sources.push_back(*first);
      continue;
    }
    unsigned bits = 0;
    const std::string length = item.substr(slash + 1);
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (is_v6 || error != std::errc{} || end != length.data() + length.size() || bits < 16 ||
        bits > 32) {
      return fail(fmt::format("\"{}\": only IPv4 networks from /16 to /32 can be given", item));
    }
    in_addr address{};
    ::inet_pton(AF_INET, host.c_str(), &address);
    const std::uint32_t mask = bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
    const std::uint32_t network = ntohl(address.s_addr) & mask;
    const std::uint32_t hosts = ~mask;
    for (std::uint32_t i = hosts > 1 ? 1 : 0; i < (hosts > 1 ? hosts : hosts + 1); ++i) {
      const in_addr each{.s_addr = htonl(network + i)};
      char name[INET_ADDRSTRLEN];
      ::inet_ntop(AF_INET, &each, name, sizeof name);
      sources.push_back(*Endpoint::parse(fmt::format("{}:0", name)));
    }
  }
  if (sources.empty()) return fail("no source address is given");
  if (sources.size() > most_sources) {
    return fail(fmt::format("{} source addresses; at most {}", sources.size(), most_sources));
  }
  return sources;
}

}  // namespace penstock::load

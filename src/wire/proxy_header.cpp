// A line of text (v1), or a signature and binary addresses (v2).
#include "penstock/wire/proxy_header.h"

#include <fmt/format.h>

#include <string_view>

#include "penstock/base/assert.h"

namespace penstock::wire {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char version_2_proxy = 0x21;
constexpr char tcp_over_v4 = 0x11;
constexpr char tcp_over_v6 = 0x21;

void put_16(std::string& to, std::size_t number) {
  to += static_cast<char>(number >> 8);
  to += static_cast<char>(number & 0xff);
}

}  // namespace

std::string proxy_header(ProxyVersion version, const Endpoint& source,
                         const Endpoint& destination) {
  PENSTOCK_ASSERT(source.is_ip() && source.family() == destination.family());
  const bool v4 = source.family() == AF_INET;
  if (version == ProxyVersion::v1) {
    return fmt::format("PROXY TCP{} {} {} {} {}\r\n", v4 ? 4 : 6, source.bare_host(),
                       destination.bare_host(), source.port(), destination.port());
  }
  std::string header(signature);
  header += version_2_proxy;
  header += v4 ? tcp_over_v4 : tcp_over_v6;
  put_16(header, 2 * (source.address_bytes().size() + sizeof(std::uint16_t)));
  for (const Endpoint* end : {&source, &destination}) {
    for (const std::uint8_t byte : end->address_bytes()) header += static_cast<char>(byte);
  }
  put_16(header, source.port());
  put_16(header, destination.port());
  return header;
}

}  // namespace penstock::wire

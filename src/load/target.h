// Where a run goes to and comes from: targets and sources as the command line has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "penstock/net/endpoint.h"

namespace penstock::load {

struct Target {
  Endpoint endpoint;
  std::string host{};   ///< as given, for SNI and Host
  std::string path{};   ///< of a URL, "/" when it has none
  bool secure = false;  ///< https://
};

/// "10.0.0.1:80", "[::1]:80", "localhost:80", "unix:/run/app.sock", "http://host:80/path",
/// "https://host/". A name is resolved now, its first address counts. Error: a sentence.
[[nodiscard]] Result<Target> parse_target(std::string_view text);
/// The same, for a target whose connections go elsewhere: its own name need not exist.
[[nodiscard]] Result<Target> parse_target_elsewhere(std::string_view text,
                                                    const Endpoint& elsewhere);

/// An address, or a name to resolve now, with a port; or a unix path.
[[nodiscard]] Result<Endpoint> resolve(std::string_view text);

/// An IP address with a port, or without: port 0. Error: a sentence.
[[nodiscard]] Result<Endpoint> parse_address(std::string_view text);

/// Source addresses: "127.0.0.1,127.0.0.2" or "127.0.0.0/24", whose every host address counts.
/// Ports are the kernel's to choose. At most 65,536. Error: a sentence.
[[nodiscard]] Result<std::vector<Endpoint>> parse_sources(std::string_view text);

}  // namespace penstock::load

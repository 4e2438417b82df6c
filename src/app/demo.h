// `penstock demo`: a fleet, a certificate and a configuration made in memory, run by the same
// Supervisor as `penstock run`, with suggestions what to try and a live status.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace penstock::app {

struct DemoOptions {
  struct Ports {
    std::uint16_t http = 0;  ///< 0: the kernel chooses
    std::uint16_t https = 0;
  };
  std::optional<Ports> ports;  ///< absent: 8080 and 8443, or the next free ones
};

/// Runs until Ctrl-C. Returns the exit code.
[[nodiscard]] int run_demo(const DemoOptions& options);

}  // namespace penstock::app

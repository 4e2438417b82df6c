// RunOptions: what a run was asked to do, checked. Made by the command line, read by the
// coordinator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.h"
#include "exchange.h"
#include "parts.h"
#include "penstock/load/arrivals.h"
#include "penstock/load/assertion.h"
#include "penstock/load/rate_profile.h"
#include "penstock/load/run_result.h"
#include "penstock/net/endpoint.h"
#include "penstock/tls/client.h"

namespace penstock::load {

enum class Mode : std::uint8_t {
  rr,    ///< requests and answers on connections that stay
  conn,  ///< a connection for each request
  tls,   ///< a connection and a TLS handshake, nothing else
  http,  ///< HTTP/1.1 requests on connections that stay
  // Connections for their own sake, with requests beside them.
  bulk,   ///< streams of data
  hold,   ///< idle connections
  chaos,  ///< clients that nobody wants
};
inline constexpr std::string_view mode_names[] = {"rr",   "conn", "tls",  "http",
                                                  "bulk", "hold", "chaos"};
[[nodiscard]] constexpr std::string_view name_of(Mode mode) noexcept {
  return mode_names[static_cast<std::size_t>(mode)];
}
[[nodiscard]] constexpr bool has_crowd(Mode mode) noexcept { return mode >= Mode::bulk; }

enum class Direction : std::uint8_t {
  up,    ///< from the client
  down,  ///< to the client
  both,  ///< every other stream
};

/// What a run leaves behind.
struct OutputFiles {
  std::string json{};  ///< empty: nowhere, as for all of them
  std::string csv{};
  std::string hgrm{};
  std::string html{};
};

struct RunOptions {
  Mode mode = Mode::rr;
  std::vector<Endpoint> targets{};  ///< in turn; at least one
  std::string target_text{};
  std::vector<Endpoint> sources{};
  ConnectionOptions socket{};  ///< but for the source
  std::optional<Introduction> introduction{};
  std::uint32_t threads = 1;
  std::vector<int> cpus{};
  std::uint32_t connections = 64;  ///< of all threads together
  std::uint32_t active = 0;        ///< beside a crowd: connections with requests
  double dials_per_second = 0;     ///< of a crowd; 0: as fast as it goes
  Direction direction = Direction::up;
  std::vector<ChaosKind> chaos{};
  std::vector<int> watched{};  ///< process IDs
  std::uint32_t depth = 1;
  RequestRange requests_each{};  ///< that a connection lives for
  std::size_t request_size = 64;
  std::size_t answer_size = 64;
  bool verify = true;
  bool closed_loop = false;
  RateProfile profile{};  ///< open loop
  std::string profile_text{};
  bool search = false;  ///< for the highest rate that meets the conditions, from the profile's on
  Arrival arrival = Arrival::uniform;
  std::uint32_t burst = 1;  ///< operations at each arrival
  bool catch_up = true;     ///< open loop: what could not begin in time begins later
  Duration duration = 10s;
  Duration warmup{};
  std::optional<std::uint64_t> operations{};
  Duration timeout = 10s;
  Duration connect_timeout = 5s;
  Ending ending = Ending::plain;
  std::uint64_t most_waiting = 1'000'000;
  std::uint64_t seed = 1;
  Duration interval = 1s;
  bool secure = false;
  std::string tls_text{};  ///< for outputs: "any version", "1.3"; empty: plain
  tls::ClientOptions tls{};
  std::vector<std::string> server_names = {""};  ///< in turn; at least one
  double resume_share = 0;                       ///< of TLS connections that offer a session
  std::string http_request{};
  std::vector<Condition> conditions{};
  OutputFiles files{};
  std::optional<Endpoint> metrics_at{};  ///< where Prometheus may read during the run
  std::string command_line{};
  std::vector<NamedText> labels{};
  bool live = true;  ///< on a terminal, a view that is drawn over
};

/// What its outputs say of the run, and of the machine that it is on.
[[nodiscard]] RunSettings settings_of(const RunOptions& options);

}  // namespace penstock::load

// The demo's configuration is what an operator would write in a file, built as a value.
#include "demo.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "demo_fleet.h"
#include "demo_status.h"
#include "penstock/app/command_line.h"
#include "penstock/base/cpus.h"
#include "penstock/base/log.h"
#include "penstock/base/signals.h"
#include "penstock/net/socket.h"
#include "penstock/tls/identity.h"
#include "supervisor.h"
#include "words.h"

namespace penstock::app {
namespace {

constexpr int fleet_size = 3;
constexpr std::uint16_t usual_http = 8080;
constexpr std::uint16_t usual_https = 8443;
constexpr std::uint32_t most_shards = 2;  // enough to show; the machine is somebody's desktop

Result<Endpoint> loopback(std::uint16_t port) {
  return Endpoint::parse(fmt::format("127.0.0.1:{}", port));
}

/// The first of `first` and the hundred ports after it that nobody listens on.
Result<Endpoint> next_free(std::uint16_t first) {
  constexpr int tries = 100;
  for (int i = 0; i < tries; ++i) {
    auto at = loopback(static_cast<std::uint16_t>(first + i));
    if (!at) return at;
    const auto opened = open_listener(*at, {.backlog = 1, .reuse_port = false, .first = true});
    if (opened) return at;
    if (opened.error().errno_value != EADDRINUSE) return std::unexpected(opened.error());
  }
  return fail(fmt::format("no free port from {} to {}; name two with --ports HTTP,HTTPS", first,
                          first + tries - 1));
}

config::Pool pool_of(const DemoFleet& fleet) {
  config::Pool pool;
  pool.name = "fleet";
  pool.hash_key = balance::HashKey::source_ip_port;
  config::Health& health = pool.health.emplace();
  health.type = config::HealthType::http;
  health.path = "/healthz";
  health.interval = 1s;
  health.timeout = 500ms;
  health.fall = 2;
  for (const DemoFleet::Member& member : fleet.members()) {
    const BackendId id{static_cast<std::uint32_t>(pool.backends.size())};
    pool.backends.push_back({.id = id, .name = member.name, .address = member.address});
  }
  return pool;
}

Result<config::Config> make_config(const DemoFleet& fleet, const DemoOptions& options) {
  auto http = options.ports ? loopback(options.ports->http) : next_free(usual_http);
  if (!http) return std::unexpected(http.error());
  auto https = options.ports ? loopback(options.ports->https) : next_free(usual_https);
  if (!https) return std::unexpected(https.error());
  auto identity = tls::Identity::make_self_signed("penstock demo", log::wall_clock());
  if (!identity) return std::unexpected(identity.error());

  config::Config config;
  config.pools.push_back(pool_of(fleet));
  config::Listener plain;
  plain.name = "http";
  plain.pool = PoolId{0};
  plain.bind = {*http};
  config.listeners.push_back(std::move(plain));
  config::Listener secure;
  secure.name = "https";
  secure.pool = PoolId{0};
  secure.bind = {*https};
  secure.tls.emplace();
  secure.tls->certificates.push_back(std::move(*identity));
  secure.tls->alpn = {"http/1.1"};
  config.listeners.push_back(std::move(secure));
  config.process.shards = std::min(most_shards, shards_for(allowed_cpus().size(), cpu_quota()));
  config.process.pin = false;
  config.process.shutdown_timeout = 1s;
  return config;
}

std::string suggestions(const std::vector<ListeningSockets::Address>& addresses,
                        const std::vector<DemoFleet::Member>& members) {
  const std::string http = "http://" + addresses.at(0).at.to_string();
  const std::string https = "https://" + addresses.at(1).at.to_string();
  std::string fleet;
  for (const DemoFleet::Member& member : members) {
    fleet += fmt::format("{}{} on {}", fleet.empty() ? "" : ", ", member.name,
                         member.address.to_string());
  }
  return fmt::format(
      "\n"
      "penstock listens on {http} and {https}\n"
      "in front of {fleet}.\n"
      "\n"
      "Try, in another terminal:\n"
      "\n"
      "  curl {http}/hello\n"
      "  curl -k {https}/hello\n"
      "      TLS ends at penstock (the certificate is self-signed, hence -k); the backends see "
      "HTTP\n"
      "\n"
      "  for i in 1 2 3 4 5 6; do curl -s --interface 127.0.0.$i {http}/; done\n"
      "      the client's address and port are hashed to choose a backend, so connections spread\n"
      "\n"
      "  curl -s \"{http}/[1-4]\"\n"
      "      four requests on one connection: they all reach the same backend\n"
      "\n"
      "  curl http://{victim}/fail\n"
      "      asks {name} itself to fail its health checks for 10 s: it is left out, then comes "
      "back\n"
      "\n"
      "  kill -USR2 {pid}\n"
      "      prints the counters here, as one JSON line\n"
      "\n"
      "Ctrl-C ends it.\n"
      "\n",
      fmt::arg("http", http), fmt::arg("https", https), fmt::arg("fleet", fleet),
      fmt::arg("victim", members.at(1).address.to_string()), fmt::arg("name", members.at(1).name),
      fmt::arg("pid", ::getpid()));
}

std::uint64_t accepted(const Supervisor& supervisor) {
  std::uint64_t total = 0;
  for (const auto& shard : supervisor.counters()) {
    for (const stats::ListenerCounters& listener : shard->listener) {
      total += listener.accepted.get();
    }
  }
  return total;
}

int refused(const std::string& message, int exit_code = exit_failed) {
  log::error("{}", message);
  return exit_code;
}

}  // namespace

int run_demo(const DemoOptions& options) {
  auto signals = Signals::take();
  if (!signals) return refused(signals.error().message);
  const auto fleet = DemoFleet::start(fleet_size);
  if (!fleet) return refused(fleet.error().message);
  auto config = make_config(**fleet, options);
  if (!config) return refused(config.error().message);
  Supervisor supervisor(*signals, std::move(*config), {.counters_at_end = false});
  if (auto started = supervisor.start(); !started) {
    return refused(started.error().message, started.error().exit_code);
  }

  const std::vector<DemoFleet::Member> members = (*fleet)->members();
  constexpr Duration patience = 1s;
  LineOutput output(STDOUT_FILENO);
  static_cast<void>(output.write(suggestions(supervisor.addresses(), members), patience));
  std::vector<std::string> names;
  for (const DemoFleet::Member& member : members) names.push_back(member.name);
  int exit_code = exit_done;
  {
    const DemoStatus status(supervisor.counters(), std::move(names));
    exit_code = supervisor.run();
  }
  const std::string closing = fmt::format("The demo has ended; it served {}.\n",
                                          counted(accepted(supervisor), "connection"));
  static_cast<void>(output.write(closing, patience));
  return exit_code;
}

}  // namespace penstock::app

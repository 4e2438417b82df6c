// Check 1: what is measured of a server that answers late, against the server's own log.
#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "penstock/base/cpus.h"
#include "penstock/load/units.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr double delays_rate = 500;
/// More than are waited for at once, so that no operation waits for a connection.
constexpr std::uint32_t delays_connections = 200;
constexpr Tolerance tolerance = {.share = 0.01, .beyond = 50us};

struct KnownDelay {
  const char* name;
  DelayOptions delay;
  std::vector<double> percentiles;
};

/// The percentiles of two values keep away from 90, where the one ends and the other begins.
std::vector<KnownDelay> cases() {
  using Kind = DelayOptions::Kind;
  return {{.name = "fixed 5ms",
           .delay = {.kind = Kind::fixed, .usual = 5ms},
           .percentiles = {50, 90, 99}},
          {.name = "90% 1ms, 10% 50ms",
           .delay = {.kind = Kind::two_point, .usual = 1ms, .other = 50ms, .share = 0.1},
           .percentiles = {50, 75, 95, 99}},
          {.name = "exponential, mean 5ms",
           .delay = {.kind = Kind::exponential, .usual = 5ms},
           .percentiles = {50, 90, 99}}};
}

/// The service time is what the server's log can know of: it begins when the request leaves. How
/// late that was, the lag, is the subject of check 3, and told here.
void compare_delays(const KnownDelay& each, const Encounter& met, Findings& to) {
  const Histogram& service = met.client.total.histogram(Measure::service);
  to.figures.push_back(
      equal(fmt::format("{}: operations", each.name), met.delays.count(), service.count()));
  for (const double percent : each.percentiles) {
    to.figures.push_back(nearly(fmt::format("{}: p{}", each.name, percent),
                                met.delays.percentile(percent), service.percentile(percent),
                                tolerance));
  }
  const Histogram& latency = met.client.total.histogram(Measure::latency);
  const Histogram& lag = met.client.total.histogram(Measure::lag);
  to.figures.push_back(told(fmt::format("{}: p50 with the lag", each.name),
                            duration_text(latency.percentile(50), 4)));
  to.figures.push_back(
      told(fmt::format("{}: p50 of the lag", each.name), duration_text(lag.percentile(50), 4)));
}

}  // namespace

/// Client and server are on one CPU, where one begins to run when the other waits: from another CPU
/// that sleeps it takes 20 us more, each way, to be woken (measured: two virtual CPUs of an EPYC).
Result<void> check_known_delays(Bench& bench, Findings& to) {
  const std::vector<int> cpus = allowed_cpus();
  std::optional<Confined> here;
  if (!cpus.empty()) here.emplace(cpus.back());
  for (const KnownDelay& each : cases()) {
    RunOptions run = open_loop(bench, delays_rate);
    run.connections = delays_connections;
    ServeOptions serve;
    serve.service.kind = ServiceKind::delay;
    serve.service.message_size = static_cast<std::uint32_t>(run.request_size);
    serve.service.delay = each.delay;
    auto met = meet(bench, std::move(serve), run);
    if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
    compare_delays(each, *met, to);
  }
  return {};
}

}  // namespace penstock::load

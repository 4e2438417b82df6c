// The ceiling by the closed loop, the noise floor by the open one.
#include "calibrate.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/log.h"
#include "penstock/load/units.h"
#include "penstock/tls/identity.h"

namespace penstock::load {
namespace {

constexpr CalibrationCase cases[] = {
    {.name = "rr-1", .text = "64 B requests, 1 connection"},
    {.name = "rr-64", .text = "64 B requests, 64 connections", .connections = 64},
    {.name = "rr-16k", .text = "16 KiB requests, 64 connections", .connections = 64, .size = 16384},
    {.name = "http", .text = "HTTP, 64 connections", .mode = Mode::http, .connections = 64},
    {.name = "conn",
     .text = "a connection each, 32 at once",
     .mode = Mode::conn,
     .connections = 32},
    {.name = "rr-tls", .text = "64 B over TLS, 64 connections", .connections = 64, .secure = true},
    {.name = "tls",
     .text = "TLS handshakes, 8 at once",
     .mode = Mode::tls,
     .connections = 8,
     .secure = true},
    {.name = "up", .text = "upload, 1 stream", .mode = Mode::bulk},
    {.name = "down",
     .text = "download, 1 stream",
     .mode = Mode::bulk,
     .direction = Direction::down},
};

RunOptions options_for(const CalibrationCase& one, Duration duration, int cpu) {
  RunOptions options;
  options.mode = one.mode;
  options.connections = one.connections;
  options.request_size = options.answer_size = one.size;
  options.direction = one.direction;
  options.secure = one.secure;
  options.tls.verification = tls::Verification::off;
  options.cpus = {cpu};
  options.duration = duration;
  if (one.mode == Mode::http) options.http_request = "GET / HTTP/1.1\r\nHost: calibrate\r\n\r\n";
  return options;
}

/// Error: what went wrong, where nothing should.
Result<RunResult> run_clean(Bench& bench, const CalibrationCase& one, RunOptions& options) {
  auto run = bench.run(options);
  if (!run || bench.interrupted()) return run;
  const std::uint64_t errors = run->total.errors() + run->total.count.corrupt_streams;
  if (errors > 0) return fail(fmt::format("{}: {} errors without a proxy", one.name, errors));
  return run;
}

Result<Calibration> find_ceiling(Bench& bench, const CalibrationCase& one, RunOptions& options) {
  options.closed_loop = one.mode != Mode::bulk;
  const auto run = run_clean(bench, one, options);
  if (!run) return std::unexpected(run.error());
  const RunFacts& facts = run->facts;
  Calibration found{.of = &one, .ceiling = facts.achieved_per_second, .cpu_each = {}, .floor = {}};
  double units = facts.achieved_per_second * seconds(facts.duration);
  if (one.mode == Mode::bulk) {
    found.ceiling = units = 0;
    for (const StreamFacts& stream : facts.streams) {
      found.ceiling += 8 * static_cast<double>(stream.bytes) / seconds(stream.lasted);
      units += static_cast<double>(stream.bytes) / 1e9;
    }
  }
  if (units > 0) {
    const double ns = static_cast<double>(facts.health.cpu_time.count()) / units;
    found.cpu_each = Duration(static_cast<Duration::rep>(ns));
  }
  return found;
}

Result<NoiseFloor> find_floor(Bench& bench, const CalibrationCase& one, RunOptions& options,
                              double rate) {
  options.closed_loop = false;
  options.profile = {{rate, rate, options.duration}};
  options.profile_text = fmt::format("{:.0f}", rate);
  const auto run = run_clean(bench, one, options);
  if (!run) return std::unexpected(run.error());
  const Histogram& latency = run->total.histogram(Measure::latency);
  return NoiseFloor{.rate = rate,
                    .p50 = latency.percentile(50),
                    .p99 = latency.percentile(99),
                    .p999 = latency.percentile(99.9),
                    .max = latency.max(),
                    .lag_p99 = run->facts.health.lag_p99};
}

}  // namespace

std::span<const CalibrationCase> calibration_cases() noexcept { return cases; }

Result<Calibration> calibrate(Bench& bench, const CalibrationCase& one, int server_cpu,
                              int client_cpu) {
  ServeOptions serve;
  serve.listen = any_loopback_port();
  if (one.mode == Mode::http) serve.service = {.kind = ServiceKind::http, .body_size = 128};
  if (one.secure) {
    auto identity = tls::Identity::make_self_signed("calibrate", log::wall_clock());
    if (!identity) return std::unexpected(identity.error());
    serve.tls.certificates.push_back(std::move(*identity));
  }
  Serving serving(serve);
  {
    const Confined here(server_cpu);
    if (auto opened = serving.open(); !opened) return std::unexpected(opened.error());
  }
  RunOptions options = options_for(one, bench.duration(), client_cpu);
  options.targets = {serving.at()};
  auto found = find_ceiling(bench, one, options);
  if (!found || bench.interrupted() || one.mode == Mode::bulk) return found;
  auto floor = find_floor(bench, one, options, std::max(found->ceiling / 2, 1.0));
  if (!floor) return std::unexpected(floor.error());
  found->floor = *floor;
  return found;
}

std::string calibration_head() {
  return fmt::format("{:<32}{:>13}{:>11}{:>9}{:>8}{:>8}{:>8}{:>8}\n", "", "ceiling", "CPU each",
                     "at half", "p50", "p99", "p99.9", "lag p99");
}

std::string text_of(const Calibration& calibration) {
  const CalibrationCase& one = *calibration.of;
  const bool bulk = one.mode == Mode::bulk;
  std::string text = fmt::format("{:<32}{:>13}{:>11}", one.text,
                                 bulk ? fmt::format("{:.3g} Gbit/s", calibration.ceiling / 1e9)
                                      : number_text(calibration.ceiling) + "/s",
                                 duration_text(calibration.cpu_each) + (bulk ? "/GB" : ""));
  if (const auto& floor = calibration.floor) {
    text += fmt::format("{:>9}{:>8}{:>8}{:>8}{:>8}", number_text(floor->rate) + "/s",
                        duration_text(floor->p50), duration_text(floor->p99),
                        duration_text(floor->p999), duration_text(floor->lag_p99));
  }
  return text + "\n";
}

}  // namespace penstock::load

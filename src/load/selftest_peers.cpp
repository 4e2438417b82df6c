// Check 6: the same server, measured by us and by another tool, the server on one CPU and whoever
// measures on another.
#include "selftest_peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "penstock/base/cpus.h"
#include "penstock/base/log.h"
#include "penstock/load/units.h"
#include "penstock/tls/identity.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr std::uint32_t peer_connections = 64;

/// Another tool that can measure what we can.
struct Rival {
  const char* name;
  const char* program;
  ServiceOptions service{};
  RunOptions ours{};
  std::vector<std::string> (*command)(const Endpoint& at, int seconds);
  /// From what it says and how long it took; nullopt: it did not say.
  std::optional<double> (*rate)(std::string_view text, double seconds);
};

std::vector<std::string> wrk_command(const Endpoint& at, int seconds) {
  return {"-t1", fmt::format("-c{}", peer_connections), fmt::format("-d{}s", seconds),
          fmt::format("http://{}/", at.to_string())};
}

std::vector<std::string> s_time_command(const Endpoint& at, int seconds) {
  return {"s_time", "-connect", at.to_string(), "-new", "-time", fmt::format("{}", seconds)};
}

Rival wrk() {
  RunOptions ours;
  ours.mode = Mode::http;
  ours.connections = peer_connections;
  ours.http_request = "GET / HTTP/1.1\r\nHost: selftest\r\n\r\n";
  return {.name = "http, wrk",
          .program = "wrk",
          .service = {.kind = ServiceKind::http, .body_size = 128},
          .ours = std::move(ours),
          .command = wrk_command,
          .rate = [](std::string_view text, double /*seconds*/) {
            return requests_a_second_of_wrk(text);
          }};
}

/// It makes one connection after another, and counts whole seconds: we look at the clock.
Rival s_time() {
  RunOptions ours;
  ours.mode = Mode::tls;
  ours.connections = 1;
  ours.secure = true;
  ours.tls.verification = tls::Verification::off;
  ours.ending = Ending::reset;  // as it does: it closes its socket with the tickets unread
  return {.name = "tls, openssl s_time",
          .program = "openssl",
          .ours = std::move(ours),
          .command = s_time_command,
          .rate = [](std::string_view text, double seconds) {
            const auto made = connections_of_s_time(text);
            return made ? std::optional(*made / seconds) : std::nullopt;
          }};
}

/// What one of both can do.
struct Performance {
  double rate = 0;      ///< operations a second
  Duration cpu_each{};  ///< CPU time of the tool for each
};

Performance performance(double rate, double length, Duration cpu) noexcept {
  const double operations = std::max(rate * length, 1.0);
  const auto ns = static_cast<double>(cpu.count());
  return {.rate = rate, .cpu_each = Duration(static_cast<Duration::rep>(ns / operations))};
}

Result<Performance> measure_theirs(Bench& bench, const Rival& rival, const Endpoint& at, int cpu) {
  const auto length = peer_round(bench);
  std::vector<std::string> command = rival.command(at, static_cast<int>(length.count()));
  command.insert(command.begin(), find_program(rival.program));
  const Instant begin = bench.now();
  auto child = Child::start(command, cpu);
  if (!child) return std::unexpected(child.error());
  const auto text = child->read_all(bench, begin + length + peer_patience);
  if (!text) return fail(fmt::format("{}: {}", rival.program, text.error().message));
  const double took = seconds(bench.now() - begin);
  const auto rate = rival.rate(*text, took);
  if (!rate) return fail(fmt::format("{} said no rate: {}", rival.program, *text));
  return performance(*rate, took, child->finish());
}

struct Seen {
  Performance theirs;
  Performance ours;
  std::uint64_t errors = 0;
};

Result<Seen> measure_both(Bench& bench, Rival& rival, const Endpoint& at, int cpu) {
  Seen seen;
  const auto better = [](const Performance& a, const Performance& b) {
    return a.rate > b.rate ? a : b;
  };
  for (int i = 0; i < peer_rounds && !bench.interrupted(); ++i) {
    const auto theirs = measure_theirs(bench, rival, at, cpu);
    if (!theirs) return std::unexpected(theirs.error());
    rival.ours.targets = {at};
    rival.ours.closed_loop = true;
    rival.ours.cpus = {cpu};
    rival.ours.duration = peer_round(bench);
    const auto run = bench.run(rival.ours);
    if (!run) return std::unexpected(run.error());
    const RunFacts& facts = run->facts;
    seen.theirs = better(seen.theirs, *theirs);
    seen.ours = better(seen.ours, performance(facts.achieved_per_second, seconds(facts.duration),
                                              facts.health.cpu_time));
    seen.errors += run->total.errors();
  }
  return seen;
}

Result<void> compare(Bench& bench, Rival& rival, const PeerCpus& cpus, Findings& to) {
  if (find_program(rival.program).empty()) {
    to.skipped.push_back(fmt::format("{}: {} is not installed", rival.name, rival.program));
    return {};
  }
  ServeOptions serve;
  serve.listen = any_loopback_port();
  serve.service = rival.service;
  if (rival.ours.secure) {
    auto identity = tls::Identity::make_self_signed("selftest", log::wall_clock());
    if (!identity) return std::unexpected(identity.error());
    serve.tls.certificates.push_back(std::move(*identity));
  }
  Serving serving(serve);
  {
    const Confined here(cpus.server);
    if (auto opened = serving.open(); !opened) return opened;
  }
  const auto seen = measure_both(bench, rival, serving.at(), cpus.client);
  if (!seen) return std::unexpected(seen.error());
  if (bench.interrupted()) return {};
  to.figures.push_back(
      equal(fmt::format("{}: our errors", rival.name), std::uint64_t{0}, seen->errors));
  to.figures.push_back(not_slower(fmt::format("{}: operations a second", rival.name),
                                  seen->theirs.rate, seen->ours.rate, least_peer_share));
  to.figures.push_back(told(fmt::format("{}: its CPU time for each", rival.name),
                            duration_text(seen->theirs.cpu_each)));
  to.figures.push_back(told(fmt::format("{}: our CPU time for each", rival.name),
                            duration_text(seen->ours.cpu_each)));
  return {};
}

std::optional<double> number_at(std::string_view text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::chrono::seconds peer_round(const Bench& bench) {
  return std::chrono::ceil<std::chrono::seconds>(bench.duration() / peer_rounds);
}

std::optional<double> requests_a_second_of_wrk(std::string_view text) noexcept {
  constexpr std::string_view before = "Requests/sec:";
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  return number_at(text.substr(at + before.size()));
}

std::optional<double> connections_of_s_time(std::string_view text) noexcept {
  const std::size_t after = text.find(" connections in ");
  if (after == std::string_view::npos) return std::nullopt;
  const std::string_view front = text.substr(0, after);
  const std::size_t at = front.find_last_not_of("0123456789");
  return number_at(front.substr(at == std::string_view::npos ? 0 : at + 1));
}

Result<void> check_against_others(Bench& bench, Findings& to) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) {
    to.skipped.emplace_back(
        "http, wrk, bulk, iperf3, and tls, openssl s_time: that takes two CPUs");
    return {};
  }
  const PeerCpus sides{.server = cpus[0], .client = cpus[1]};
  Rival rivals[] = {wrk(), s_time()};
  for (Rival& rival : rivals) {
    auto done = compare(bench, rival, sides, to);
    if (!done || bench.interrupted()) return done;
  }
  return check_against_iperf3(bench, sides, to);
}

}  // namespace penstock::load

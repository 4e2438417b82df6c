// Check 4: both sides count the same, in every mode, and no operation goes missing between the
// classes of what can become of one.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "penstock/base/log.h"
#include "penstock/tls/identity.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr std::uint64_t operations = 1000;
constexpr std::uint64_t handshakes = 200;

struct Case {
  const char* name;
  RunOptions run;
  ServiceOptions service{};
};

Case rr_case() {
  Case made{.name = "rr", .run = closed_loop(operations)};
  made.run.depth = 4;
  made.run.answer_size = 3000;
  return made;
}

Case conn_case(const char* name, Ending ending) {
  Case made{.name = name, .run = closed_loop(operations)};
  made.run.mode = Mode::conn;
  made.run.answer_size = 300;
  made.run.ending = ending;
  return made;
}

Case http_case() {
  Case made{.name = "http", .run = closed_loop(operations)};
  made.run.mode = Mode::http;
  made.run.http_request = "GET / HTTP/1.1\r\nHost: selftest\r\n\r\n";
  made.service = {.kind = ServiceKind::http, .body_size = 1234};
  return made;
}

Case https_case() {
  Case made = http_case();
  made.name = "https";
  made.run.secure = true;
  return made;
}

Case tls_case() {
  Case made{.name = "tls", .run = closed_loop(handshakes)};
  made.run.mode = Mode::tls;
  made.run.secure = true;
  return made;
}

void compare_counts(const Case& each, const Encounter& met, Findings& to) {
  const auto name = [&each](const char* what) { return fmt::format("{}: {}", each.name, what); };
  const Counters& own = met.client.total.count;
  const Served& seen = met.server;
  const bool tls_only = each.run.mode == Mode::tls;
  to.figures.push_back(equal(name(tls_only ? "operations, of the handshakes" : "operations"),
                             tls_only ? seen.handshakes : seen.requests, own.operations));
  to.figures.push_back(equal(name("connections"), seen.accepted, own.connections));
  to.figures.push_back(equal(name("bytes sent"), seen.bytes_in, own.bytes_out));
  to.figures.push_back(equal(name("bytes received"), seen.bytes_out, own.bytes_in));
  if (each.run.secure) {
    to.figures.push_back(
        equal(name("handshakes"), seen.handshakes, own.handshakes_full + own.handshakes_resumed));
  }
  const std::uint64_t ended = own.operations + met.client.total.errors() + own.unsent;
  to.figures.push_back(equal(name("of all that were to be done"), *each.run.operations, ended));
}

/// Operations that end in many ways are still as many as the timeline has.
Result<void> compare_classes(Bench& bench, Findings& to) {
  RunOptions run = open_loop(bench, 1000);
  run.duration = std::min<Duration>(run.duration, 2s);
  run.profile.front().length = run.duration;
  run.connections = 16;
  run.most_waiting = 4;
  run.timeout = 1s;
  const auto starts = static_cast<std::uint64_t>(starts_until(run.profile, run.duration));
  ServeOptions serve;
  serve.service = {.kind = ServiceKind::chaos,
                   .chaos = {Chaos::reset, Chaos::flip, Chaos::half_close},
                   .chaos_bytes = 4096};
  const auto met = meet(bench, std::move(serve), run);
  if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
  const Recorder& total = met->client.total;
  std::uint64_t sum = total.count.operations + total.count.unsent;
  std::size_t classes = 0;
  for (const ErrorInfo& info : all_errors()) {
    sum += total.errors(info.error);
    if (total.errors(info.error) == 0) continue;
    ++classes;
    to.figures.push_back(
        told(fmt::format("open loop: {}", info.text), fmt::format("{}", total.errors(info.error))));
  }
  to.figures.push_back(told("open loop: went well", fmt::format("{}", total.count.operations)));
  to.figures.push_back(told("open loop: never sent", fmt::format("{}", total.count.unsent)));
  to.figures.push_back(told("open loop: in flight at the deadline",
                            fmt::format("{}", met->client.facts.in_flight_at_deadline)));
  to.figures.push_back(equal("open loop: sum of all classes", starts, sum));
  const Bound at_least{.least = 2, .most = static_cast<double>(all_errors().size())};
  to.figures.push_back(
      between("open loop: classes of errors", at_least, static_cast<double>(classes), ""));
  return {};
}

}  // namespace

Result<void> check_counters(Bench& bench, Findings& to) {
  auto identity = tls::Identity::make_self_signed("selftest", log::wall_clock());
  if (!identity) return std::unexpected(identity.error());
  Case cases[] = {rr_case(),
                  conn_case("conn, fin", Ending::plain),
                  conn_case("conn, rst", Ending::reset),
                  http_case(),
                  https_case(),
                  tls_case()};
  for (Case& each : cases) {
    each.run.connections = 8;
    each.run.tls.verification = tls::Verification::off;
    ServeOptions serve;
    serve.service = each.service;
    if (each.run.secure) serve.tls.certificates.push_back(identity->clone());
    const auto met = meet(bench, std::move(serve), each.run);
    if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
    compare_counts(each, *met, to);
  }
  return compare_classes(bench, to);
}

}  // namespace penstock::load

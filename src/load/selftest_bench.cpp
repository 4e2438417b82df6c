// A run against a server of our own, in one process.
#include "selftest_bench.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "penstock/base/assert.h"
#include "penstock/base/cpus.h"

namespace penstock::load {
namespace {

/// What a server may take to end when its clients have.
constexpr Duration ending_time = 10s;

}  // namespace

bool Bench::readable(int fd, Instant limit) {
  while (!interrupted()) {
    const Duration left = limit - now();
    if (left <= Duration::zero()) return false;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd waited[] = {{.fd = interruptions_.fd(), .events = POLLIN, .revents = 0},
                       {.fd = fd, .events = POLLIN, .revents = 0}};
    ::poll(waited, 2, static_cast<int>(std::min<std::int64_t>(ms, 1000)));
    if (waited[1].revents != 0) return true;
  }
  return false;
}

Result<RunResult> Bench::run(RunOptions& options) {
  options.target_text = options.targets.front().to_string();
  return run_load(options, interruptions_, [](const LiveState& /*state*/) {});
}

Result<Encounter> meet(Bench& bench, ServeOptions serve, RunOptions& run) {
  serve.listen = any_loopback_port();
  Serving serving(serve);
  if (auto opened = serving.open(); !opened) return std::unexpected(opened.error());
  run.targets = {serving.at()};
  auto result = bench.run(run);
  serving.stop();
  const Instant limit = bench.now() + ending_time;
  while (result && !serving.ended() && bench.now() < limit && !bench.interrupted()) {
    (void)bench.readable(-1, bench.now() + 1ms);
  }
  const bool in_time = serving.ended();
  serving.abandon();
  if (!result) return std::unexpected(result.error());
  if (!in_time && !bench.interrupted()) {
    return fail(fmt::format("connections to the server were still open {} s after the run",
                            std::chrono::duration_cast<std::chrono::seconds>(ending_time).count()));
  }
  return Encounter{
      .client = std::move(*result), .server = serving.served(), .delays = serving.delays()};
}

Confined::Confined(int cpu) noexcept
    : known_(::sched_getaffinity(0, sizeof(before_), &before_) == 0) {
  (void)pin_this_thread(cpu);
}

Confined::~Confined() {
  if (known_) ::sched_setaffinity(0, sizeof(before_), &before_);
}

Endpoint any_loopback_port() {
  auto at = Endpoint::parse("127.0.0.1:0");
  PENSTOCK_ASSERT(at.has_value());
  return *at;
}

std::string load_average_text() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? fmt::format("load average {:.2f}", load)
                                     : "load average unknown";
}

RunOptions open_loop(const Bench& bench, double per_second) {
  RunOptions options;
  options.duration = bench.duration();
  options.profile = {{per_second, per_second, options.duration}};
  options.profile_text = fmt::format("{}", per_second);
  return options;
}

RunOptions closed_loop(std::uint64_t operations) {
  RunOptions options;
  options.closed_loop = true;
  options.operations = operations;
  options.duration = 1h;  // the operations are the end of it
  options.interval = 1h;
  return options;
}

}  // namespace penstock::load

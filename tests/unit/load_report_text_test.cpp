// Reports as text: one in full, and what others must say.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "load_report_runs.h"
#include "penstock/load/report_live.h"
#include "penstock/load/report_text.h"

namespace penstock::load {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::string_view in_full =
    R"(run          rr on 127.0.0.1:9000: OPEN loop at 1k, uniform arrivals
command      penstock-load run 127.0.0.1:9000 --rate 1k -d 10s --warmup 1s
load         64 connections, depth 1, 2 threads, requests of 64 B, answers of 64 B, plain, seed 1
measured     10s after 1s of warm-up
host         somewhere, Linux 6.18.0, 2 cpus; penstock-load 0.1.0, started 2025-03-01T12:00:00Z
label        name=base

              p50    p75    p90    p95    p99  p99.9 p99.99    max   mean  stdev      count
latency       5ms  7.5ms    9ms  9.5ms  9.9ms 9.99ms   10ms   10ms    5ms 2.89ms      10000
service     2.5ms 3.75ms  4.5ms 4.75ms 4.95ms    5ms    5ms    5ms  2.5ms 1.44ms      10000
lag           5us    5us    5us    5us    5us    5us    5us    5us    5us    0ns      10000
connect      80us   80us   80us   80us      -      -      -   80us   80us    0ns         64

latency, on a logarithmic scale from 2.5ms to 10ms
p50           5ms |#####################################
p75         7.5ms |#########################################################
p90           9ms |###################################################################
p95         9.5ms |#####################################################################
p99         9.9ms |########################################################################
p99.9      9.99ms |########################################################################
p99.99       10ms |########################################################################
max          10ms |########################################################################

throughput   1k/s of 1k/s asked for (100.0%); 64kB/s in, 64kB/s out
operations   10000 went well; 3 in flight at the deadline; 0 never sent
connections  64 opened
own CPU      5.6s, 560us an operation
errors       none
integrity    0 bytes lost, 0 streams corrupt
generator    lag p99 5us; CPU of the workers 25% 31%; fit

assertion    holds   p99 < 20ms: 9.9ms
verdict      OK
)";

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

TEST_CASE("a run as text, in full") { CHECK(text_report(summarize(made_up_run())) == in_full); }

TEST_CASE("no line of a report is wider than 100 columns") {
  RunResult run = run_with_errors();
  run.facts.settings.command_line = "penstock-load run " + std::string(250, 'x') + " --rate 1k";
  CHECK(widest_line(text_report(summarize(run))) <= 100);
  CHECK(widest_line(text_report(summarize(interrupted_run()))) <= 100);
}

TEST_CASE("a report tells errors by class and errno, and what was lost") {
  const std::string text = text_report(summarize(run_with_errors()));
  CHECK_THAT(text, ContainsSubstring("errors       13 (0.13% of the operations)\n"
                                     "                    12  connection refused\n"
                                     "                     1  wrong bytes\n"
                                     "                     4  never sent: the queue was full\n"
                                     "with                12  errno 111: Connection refused\n"
                                     "                     1  TLS alert 40: handshake_failure\n"
                                     "                     1  HTTP status 200\n"
                                     "                     1  HTTP status 503\n"
                                     "integrity    17 bytes lost, 1 stream corrupt\n"));
  CHECK_THAT(text, ContainsSubstring("retransmits  12\n"));
  CHECK_THAT(text, ContainsSubstring("warm-up; it began 2s after the first load\n"));
  CHECK_THAT(text, ContainsSubstring("WARN         the generator was unfit: worker 1 was busy"));
  CHECK_THAT(text, ContainsSubstring("assertion    FAILED  err == 0: 13\n"));
  CHECK_THAT(text, ContainsSubstring("verdict      FAILED: bytes were lost or wrong\n"));
}

TEST_CASE(
    "the report of a run that was interrupted in its warm-up says that nothing was measured") {
  RunResult run = run_without_operation();
  run.facts.warmup = 400ms;
  run.facts.duration = 0ns;
  run.facts.interrupted = true;
  const std::string text = text_report(summarize(run));
  CHECK_THAT(text, ContainsSubstring("nothing: it ended in the warm-up, after 400ms\n"));
  CHECK_THAT(text, ContainsSubstring("verdict      INTERRUPTED: no operation had gone well\n"));
  run.facts.warmup = 0ns;
  CHECK_THAT(text_report(summarize(run)), ContainsSubstring("nothing: it ended as it began\n"));
}

TEST_CASE("a failure that is seen in partial results says so") {
  RunResult run = run_with_errors();
  run.facts.interrupted = true;
  CHECK_THAT(text_report(summarize(run)),
             ContainsSubstring("FAILED: bytes were lost or wrong; partial results\n"));
}

TEST_CASE("the report of an interrupted closed loop says that it is both") {
  const std::string text = text_report(summarize(interrupted_run()));
  CHECK_THAT(text, ContainsSubstring("run          rr on 127.0.0.1:9000: CLOSED loop\n"));
  CHECK_THAT(text, ContainsSubstring(
                       "WARN         interrupted after 11s of 60s: these are partial results\n"));
  CHECK_THAT(text, ContainsSubstring("coordinated omission"));
  CHECK_THAT(text, ContainsSubstring("verdict      INTERRUPTED"));
}

TEST_CASE("the report of a run without one operation has no percentiles") {
  const std::string text = text_report(summarize(run_without_operation()));
  CHECK_THAT(text, ContainsSubstring("nothing was measured\n"));
  CHECK_THAT(text, ContainsSubstring("verdict      FAILED: no operation went well\n"));
  CHECK_THAT(text, !ContainsSubstring("p50"));
}

TEST_CASE("a report moves no terminal's cursor, whatever it was started with") {
  RunResult run = made_up_run();
  run.facts.settings.target = "evil\x1b[2J\r\nhost";
  const std::string text = text_report(summarize(run));
  CHECK_THAT(text, ContainsSubstring("rr on evil?[2J??host: OPEN"));
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("runs are compared by ratios to the first") {
  RunResult slower = made_up_run();
  slower.total.merge(made_up_run().total);
  slower.total.record(Measure::latency, 40ms);
  slower.facts.achieved_per_second = 500;
  slower.facts.settings.host = "elsewhere";
  const std::vector<RunSummary> runs = {summarize(made_up_run()), summarize(slower)};
  const std::string text = compare_text(runs);
  CHECK_THAT(text, ContainsSubstring("achieved                    1k/s              500/s x0.5\n"));
  CHECK_THAT(text, ContainsSubstring("latency max                 10ms               40ms x4\n"));
  CHECK_THAT(text, ContainsSubstring("WARN         the runs are from different hosts\n"));
  CHECK_THAT(text, !ContainsSubstring("handshake"));
}

TEST_CASE("a comparison of many runs stays within 100 columns") {
  const std::vector<RunSummary> runs(9, summarize(made_up_run()));
  const std::string text = compare_text(runs);
  CHECK(widest_line(text) <= 100);
  CHECK_THAT(text, ContainsSubstring("#9"));
}

LiveState made_up_state() {
  return {.elapsed = 3s,
          .whole = 10s,
          .asked_per_second = 1000,
          .operations = 3000,
          .errors = 2,
          .last = made_up_interval(3)};
}

TEST_CASE("an interval is a plain line where there is no terminal") {
  LiveState state = made_up_state();
  CHECK(live_line(state) ==
        "      3s        1k/s  p50   100us  p99  1.02ms  max     2ms  waiting    0  errors 0\n");
  state.warming_up = true;
  CHECK_THAT(live_line(state), ContainsSubstring("(warm-up)\n"));
}

TEST_CASE("the live view draws over itself and keeps to the terminal's width") {
  const std::string first = live_view(made_up_state(), 60, Redraw::first);
  CHECK(first ==
        "\rOPEN loop  [########---------------------]   30%  3s of 10s\x1b[K\n"
        "\r1k/s of 1k/s   p50 100us   p99 1.02ms   max 2ms\x1b[K\n"
        "\r3000 done   2 errors   waiting 0   lag p99 5us   64kB/s in \x1b[K\n");
  CHECK(live_view(made_up_state(), 60, Redraw::again) == "\x1b[3A" + first);
}

TEST_CASE("the live view of a run without an end has no bar") {
  LiveState state = made_up_state();
  state.whole.reset();
  CHECK_THAT(live_view(state, 80, Redraw::first), ContainsSubstring("OPEN loop  3s\x1b[K\n"));
}

TEST_CASE("the live view survives a terminal without columns") {
  CHECK(live_view(made_up_state(), 0, Redraw::first) == "\r\x1b[K\n\r\x1b[K\n\r\x1b[K\n");
}

}  // namespace
}  // namespace penstock::load

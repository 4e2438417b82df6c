// What the accuracy checks of the load tool compare, and how: the comparisons fail when they
// should, and what is to be expected is what it should be.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "../../src/load/responder_chaos.h"
#include "../../src/load/selftest_figures.h"
#include "../../src/load/selftest_peers.h"
#include "penstock/load/arrivals.h"
#include "penstock/load/random.h"

namespace penstock::load {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinRel;

TEST_CASE("a stall's closed form is that of the specification's example", "[load]") {
  const Stall stall{.length = 2s, .run = 30s};
  CHECK(stalled_latency(stall, 95) == 500ms);
  CHECK(stalled_latency(stall, 99) == 1700ms);
  CHECK(stalled_latency(stall, 99.9) == 1970ms);
  CHECK(stalled_latency(stall, 100) == 2s);
  CHECK(stalled_latency(stall, 93) == 0s);
}

TEST_CASE("a stall's closed form is what a simple simulation of it gives", "[load]") {
  const Stall stall{.length = 1s, .run = 5s};
  std::vector<Duration> latencies;
  for (Duration start{}; start < stall.run; start += 1ms) {
    const bool within = start >= 2s && start < 3s;
    latencies.push_back(within ? 3s - start : Duration::zero());
  }
  std::ranges::sort(latencies);
  for (const double percent : {85.0, 90.0, 99.0}) {
    const Duration off = exact_percentile(latencies, percent) - stalled_latency(stall, percent);
    CHECK(std::chrono::abs(off) <= 1ms);
  }
}

TEST_CASE("a duration is near enough within a share and so much more, and not beyond", "[load]") {
  const Tolerance tolerance{.share = 0.01, .beyond = 50us};
  CHECK(nearly("x", 10ms, 10'150us, tolerance).verdict == Verdict::holds);
  CHECK(nearly("x", 10ms, 10'151us, tolerance).verdict == Verdict::fails);
  CHECK(nearly("x", 10ms, 9'850us, tolerance).verdict == Verdict::holds);
  CHECK(nearly("x", 10ms, 9'849us, tolerance).verdict == Verdict::fails);
  CHECK(nearly("x", 10ms, 10'100us, tolerance).deviation == "+1.000%");
}

TEST_CASE("numbers are compared as they are meant to be", "[load]") {
  CHECK(equal("x", 5, 5).verdict == Verdict::holds);
  CHECK(equal("x", 5, 6).verdict == Verdict::fails);
  CHECK(same("x", "a", "a").verdict == Verdict::holds);
  CHECK(same("x", "a", "b").verdict == Verdict::fails);
  CHECK(below("x", 100us, 99us).verdict == Verdict::holds);
  CHECK(below("x", 100us, 100us).verdict == Verdict::fails);
  CHECK(nearly("x", 1000.0, 1001.0, 0.001).verdict == Verdict::holds);
  CHECK(nearly("x", 1000.0, 998.9, 0.001).verdict == Verdict::fails);
  CHECK(between("x", {.least = 1, .most = 2}, 1.5, "").verdict == Verdict::holds);
  CHECK(between("x", {.least = 1, .most = 2}, 0.9, "").verdict == Verdict::fails);
  CHECK(between("x", {.least = 1, .most = 2}, 2.1, "").verdict == Verdict::fails);
  CHECK(not_slower("x", 100, 90, 0.9).verdict == Verdict::holds);
  CHECK(not_slower("x", 100, 89, 0.9).verdict == Verdict::fails);
}

TEST_CASE("a check holds when every figure does, and when there is one", "[load]") {
  Findings findings;
  CHECK_FALSE(findings.hold());
  findings.figures.push_back(told("rate", "5"));
  CHECK_FALSE(findings.hold());
  findings.figures.push_back(equal("count", 5, 5));
  CHECK(findings.hold());
  Findings interrupted = findings;
  interrupted.interrupted = true;
  CHECK_FALSE(interrupted.hold());
  Findings broken = findings;
  broken.problem = "no server";
  CHECK_FALSE(broken.hold());
  findings.figures.push_back(equal("count", 5, 4));
  CHECK_FALSE(findings.hold());
}

TEST_CASE("a check is skipped only when nothing at all was measured", "[load]") {
  Findings findings;
  CHECK_FALSE(findings.all_skipped());
  findings.skipped.emplace_back("iperf3 is not installed");
  CHECK(findings.all_skipped());
  findings.problem = "no server";
  CHECK_FALSE(findings.all_skipped());
  findings.problem.clear();
  findings.figures.push_back(equal("count", 5, 5));
  CHECK_FALSE(findings.all_skipped());
}

TEST_CASE("findings are told with every figure, what was skipped and what went wrong", "[load]") {
  Findings findings;
  findings.figures = {nearly("p99", 100ms, 103ms, {.share = 0.02}), told("stopped for", "1s")};
  findings.skipped = {"iperf3 is not installed"};
  findings.problem = "no server";
  const std::string text = text_of(findings);
  CHECK_THAT(text, ContainsSubstring("100ms"));
  CHECK_THAT(text, ContainsSubstring("103ms"));
  CHECK_THAT(text, ContainsSubstring("+3.000%"));
  CHECK_THAT(text, ContainsSubstring("FAILS"));
  CHECK_THAT(text, ContainsSubstring("stopped for"));
  CHECK_THAT(text, ContainsSubstring("skipped: iperf3 is not installed"));
  CHECK_THAT(text, ContainsSubstring("not measured: no server"));
}

TEST_CASE("an exact percentile is the value that so many do not exceed", "[load]") {
  const std::vector<Duration> values = {1ns, 2ns, 3ns, 4ns};
  CHECK(exact_percentile(values, 0) == 1ns);
  CHECK(exact_percentile(values, 25) == 1ns);
  CHECK(exact_percentile(values, 26) == 2ns);
  CHECK(exact_percentile(values, 75) == 3ns);
  CHECK(exact_percentile(values, 100) == 4ns);
}

TEST_CASE("the distance from the exponential distribution is the largest at either side of a step",
          "[load]") {
  const double median = std::numbers::ln2;
  CHECK_THAT(distance_from_exponential({median}, 1), WithinRel(0.5, 1e-12));
  CHECK_THAT(distance_from_exponential({2 * median, 2 * median}, 2), WithinRel(0.5, 1e-12));
  const double quarter = -std::log(0.75);
  CHECK_THAT(distance_from_exponential({quarter, quarter}, 1), WithinRel(0.75, 1e-12));
}

std::vector<double> gaps_of(Arrival arrival) {
  Timeline line({.profile = {{1000, 1000, 10s}}, .arrival = arrival, .seed = 1});
  std::vector<double> gaps;
  for (Duration before{}; line.next(); line.advance()) {
    gaps.push_back(seconds(*line.next() - before));
    before = *line.next();
  }
  return gaps;
}

TEST_CASE("the gaps of a Poisson timeline are exponential, those of a uniform one are not",
          "[load]") {
  const std::vector<double> poisson = gaps_of(Arrival::poisson);
  const double most = largest_likely_distance(poisson.size());
  CHECK(distance_from_exponential(poisson, 0.001) < most);
  CHECK(distance_from_exponential(poisson, 0.0011) > most);  // nor those of another mean
  const std::vector<double> uniform = gaps_of(Arrival::uniform);
  CHECK(distance_from_exponential(uniform, 0.001) > largest_likely_distance(uniform.size()));
}

TEST_CASE("what wrk, s_time and iperf3 say is read, and what says nothing is not", "[load]") {
  constexpr std::string_view wrk =
      "Running 2s test @ http://127.0.0.1:4/\n"
      "  103423 requests in 2.00s, 25.94MB read\n"
      "Requests/sec:  51698.31\nTransfer/sec:     12.97MB\n";
  CHECK(requests_a_second_of_wrk(wrk) == 51698.31);
  CHECK_FALSE(requests_a_second_of_wrk("unable to connect to 127.0.0.1:4 Connection refused"));
  constexpr std::string_view s_time =
      "Collecting connection statistics for 3 seconds\n"
      "ttttttttttttt\n\n"
      "2083 connections in 0.96s; 2169.79 connections/user sec, bytes read 0\n"
      "2083 connections in 4 real seconds, 0 bytes read per connection\n";
  CHECK(connections_of_s_time(s_time) == 2083);
  CHECK_FALSE(connections_of_s_time("connect:errno=111\n"));
  constexpr std::string_view iperf3 = R"({"end": {"sum_sent": {"bits_per_second": 3e9}, )"
                                      R"("sum_received": {"bits_per_second": 2e9}}})";
  CHECK(bits_a_second_of_iperf3(iperf3) == 2e9);
  CHECK_FALSE(bits_a_second_of_iperf3(R"({"error": "unable to connect to server"})"));
  CHECK_FALSE(bits_a_second_of_iperf3("iperf3: error"));
}

TEST_CASE("what a connection meets with is drawn from what is allowed, the same each time",
          "[load]") {
  const ServiceOptions options{
      .kind = ServiceKind::chaos, .chaos = {Chaos::flip, Chaos::stall}, .chaos_bytes = 1000};
  int flips = 0;
  for (std::uint64_t number = 0; number < 100; ++number) {
    const ChaosDraw draw = draw_chaos(options, number);
    CHECK(draw_chaos(options, number).bytes == draw.bytes);
    CHECK(draw.bytes < 1000);
    CHECK((draw.kind == Chaos::flip || draw.kind == Chaos::stall));
    flips += draw.kind == Chaos::flip ? 1 : 0;
  }
  CHECK(flips > 20);
  CHECK(flips < 80);
}

}  // namespace
}  // namespace penstock::load

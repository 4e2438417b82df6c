// Scenarios of several loads: what they come to, every error at its place, and the example.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <string_view>

#include "../../src/load/scenario.h"

namespace penstock::load {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Catch::Matchers::WithinRel;

constexpr std::string_view minimal = R"(target = "127.0.0.1:7000"
[[load]]
name = "a"
rate = 100
)";

std::expected<Scenario, config::Diagnostics> read(std::string_view text,
                                                  const ForAllLoads& for_all = {}) {
  const auto document = config::parse_document(text, "f");
  if (!document) return std::unexpected(document.error());
  return read_scenario(*document, for_all);
}

Scenario scenario(std::string_view text, const ForAllLoads& for_all = {}) {
  auto scenario = read(text, for_all);
  if (!scenario) FAIL(scenario.error().front().text());
  return std::move(*scenario);
}

/// All errors, one a line, without the file's name.
std::string errors_of(std::string_view text) {
  const auto scenario = read(text);
  if (scenario) return "none";
  std::string lines;
  for (const config::Diagnostic& error : scenario.error()) {
    lines += (lines.empty() ? "" : "\n") + error.text().substr(2);
  }
  return lines;
}

/// A scenario of a load in which a line is wrong or missing: line 4.
std::string with(std::string_view line) {
  return "target = \"127.0.0.1:7000\"\n[[load]]\nname = \"a\"\n" + std::string(line) + "\n";
}

TEST_CASE("a load's keys are the options of a run", "[load]") {
  const Scenario read = scenario(R"(
[[load]]
name = "web_1-a"
target = "http://127.0.0.1:8080/index.html"
mode = "http"
rate = 1500.5
duration = "7s"
warmup = "1s"
connections = 8
threads = 2
cpus = [0, 1]
header = ["A: b", "C: d,e"]
label = "team=x"
assert = "p99<5ms"
seed = 7
)");
  REQUIRE(read.size() == 1);
  const RunOptions& options = read[0].options;
  CHECK(read[0].name == "web_1-a");
  CHECK(read[0].start == 0s);
  CHECK(options.mode == Mode::http);
  CHECK(options.targets.front().port() == 8080);
  CHECK(options.profile == RateProfile{{1500.5, 1500.5, 7s}});
  CHECK(options.duration == 7s);
  CHECK(options.warmup == 1s);
  CHECK(options.connections == 8);
  CHECK(options.threads == 2);
  CHECK(options.cpus == std::vector{0, 1});
  CHECK_THAT(options.http_request, ContainsSubstring("\r\nA: b\r\nC: d,e\r\n"));
  CHECK(options.labels == std::vector<NamedText>{{"load", "web_1-a"}, {"team", "x"}});
  CHECK(options.conditions.size() == 1);
  CHECK(options.seed == 7);
}

TEST_CASE("flags are true or left out, and what the table leaves open has a run's defaults") {
  const Scenario read = scenario(with("closed = true\nno-verify = false"));
  CHECK(read[0].options.closed_loop);
  CHECK(read[0].options.verify);
  CHECK(read[0].options.duration == 10s);
  CHECK(read[0].options.connections == 64);
}

TEST_CASE("the target is the load's own, or the command line's, or the file's") {
  const std::string two =
      std::string(minimal) + "[[load]]\nname = \"b\"\nrate = 1\ntarget = \"127.0.0.1:1\"\n";
  CHECK(scenario(two)[0].options.targets.front().port() == 7000);
  CHECK(scenario(two)[1].options.targets.front().port() == 1);
  const ForAllLoads for_all{.target = "127.0.0.1:2", .labels = {"x=y"}};
  CHECK(scenario(two, for_all)[0].options.targets.front().port() == 2);
  CHECK(scenario(two, for_all)[1].options.targets.front().port() == 1);
  CHECK(scenario(two, for_all)[1].options.labels ==
        std::vector<NamedText>{{"load", "b"}, {"x", "y"}});
}

TEST_CASE("a load lasts until the scenario's end, or as long as it says itself") {
  const Scenario read = scenario(R"(target = "127.0.0.1:7000"
duration = "30s"
[[load]]
name = "whole"
rate = 1
[[load]]
name = "late"
rate = 1
start = "10s"
[[load]]
name = "own"
rate = 1
start = "10s"
duration = "1m"
[[load]]
name = "ramp"
ramp = "1:10:5s"
start = "40s"
)");
  CHECK(read[0].options.duration == 30s);
  CHECK(read[1].options.duration == 20s);
  CHECK(read[1].start == 10s);
  CHECK(read[2].options.duration == 1min);
  CHECK(read[3].options.duration == 5s);
}

TEST_CASE("the scenario's rate is shared out by weight, and the shares are the whole of it") {
  const Scenario read = scenario(R"(target = "127.0.0.1:7000"
rate = "10k"
[[load]]
name = "a"
weight = 3
[[load]]
name = "b"
mode = "conn"
weight = 2
[[load]]
name = "c"
mode = "bulk"
weight = 2
[[load]]
name = "own"
rate = 5
[[load]]
name = "closed"
closed = true
)");
  double sum = 0;
  for (const std::size_t load : {0U, 1U, 2U}) {
    sum += read[load].options.profile.front().from_per_second;
  }
  CHECK_THAT(sum, WithinRel(10'000.0, 1e-9));
  CHECK_THAT(read[0].options.profile.front().to_per_second, WithinRel(10'000 * 3 / 7.0, 1e-9));
  CHECK(read[0].options.profile_text == "4.28571k");
  CHECK(read[3].options.profile.front().from_per_second == 5);
  CHECK(read[4].options.closed_loop);
}

TEST_CASE("what a scenario lacks or has too much of is told with its place", "[load]") {
  CHECK(errors_of("") == "1:1: no load: at least one table [[load]] is needed");
  CHECK(errors_of("load = 5") == "1:1: load must be tables, each under a line [[load]]");
  CHECK(errors_of("load = []") == "1:1: load must be tables, each under a line [[load]]");
  CHECK_THAT(errors_of("[load.a]\nrate = 5"),
             ContainsSubstring("load must be tables, each under a line [[load]]"));
  CHECK_THAT(errors_of("target = \n"), ContainsSubstring("1:") && ContainsSubstring("not valid"));
  CHECK(errors_of("taget = \"x\"\n" + std::string(minimal)) ==
        "1:1: unknown key taget; did you mean \"target\"?");
  CHECK(errors_of("duration = 5\n" + std::string(minimal)) ==
        "1:1: duration must be a duration in quotes, such as \"10s\", not the number 5");
  CHECK(errors_of("duration = \"0s\"\n" + std::string(minimal)) ==
        "1:1: duration 0s: expected more than nothing");
  CHECK(errors_of("[[load]]\nname = \"a\"\nrate = 5") ==
        "1:1: a target is missing: HOST:PORT, a URL or unix:PATH");
  CHECK(errors_of("target = 80\n[[load]]\nname = \"a\"\nrate = 5\ntarget = \"127.0.0.1:1\"") ==
        "1:1: target must be a text, not the number 80");
}

TEST_CASE("each load needs a name that can be part of a file's", "[load]") {
  CHECK(errors_of("target = \"127.0.0.1:7000\"\n[[load]]\nrate = 5") ==
        "2:1: name is missing: each load needs one, for its outputs");
  for (const char* name :
       {"\"a/b\"", "\"\"", "\"a.b\"", "\"a b\"", "5", "\"abcdefghijklmnopqrstuvwxyz-1234567\""}) {
    INFO(name);
    CHECK_THAT(
        errors_of("target = \"127.0.0.1:7000\"\n[[load]]\nrate = 5\nname = " + std::string(name)),
        ContainsSubstring("4:1: name must be 1 to 32 letters, digits, \"_\" or \"-\", not"));
  }
  CHECK(errors_of(std::string(minimal) + "[[load]]\nname = \"a\"\nrate = 1") ==
        "6:1: two loads are called a: each needs a name of its own");
}

TEST_CASE("a load's wrong keys and values are told by the sentences of a run", "[load]") {
  for (const auto& [line, error] : {
           std::pair{"conections = 5", "unknown key conections; did you mean \"connections\"?"},
           {"zzzz = 5", "unknown key zzzz; known here: name, start, weight, target, "},
           {"help = true", "unknown key help"},
           {"scenario = \"x\"", "unknown key scenario"},
           {"rate = 5\nconnections = 0", "--connections: Value 0 not in range"},
           {"rate = 5\nconnections = \"many\"", "--connections: Value many"},
           {"rate = 5\nthreads = 3\nconnections = 2", "--threads 3: expected 1 to the number of"},
           {"rate = 5\ntimeout = \"5\"", "--timeout 5: \"5\" has no unit"},
           {"rate = 5\nmode = \"mix\"", "--mode mix: expected one of rr, conn,"},
           {"rate = 5\nmode = \"rude\"", "--mode rude: expected one of rr, conn,"},
           {"rate = \"fast\"", "--rate: cannot read a rate: \"fast\""},
           {"mode = \"rr\"", "say how the load comes with one of --rate, --ramp, --steps"},
           {"rate = 5\nclosed = true", "say how the load comes with one of --rate, --ramp,"},
           {"rate = 5\nsize = 9\nmode = \"tls\"", "--size means nothing here: it is for modes rr"},
           {"rate = 5\nactive = 1", "--active means nothing here"},
           {"rate = 5\nassert = \"p99\"", "--assert: "},
           {"rate = 5\nlabel = \"x\"", "--label x: expected NAME=TEXT"},
           {"rate = 5\ntarget = \"127.0.0.1:99999\"", "\"99999\" is no port"},
           {"rate = 5\ntarget = [\"127.0.0.1:1\"]", "target must be a text, not a list"},
           {"closed = 1", "closed must be true or false, not the number 1"},
           {"rate = true", "rate must be a value, not true"},
           {"rate = [5]", "rate must be a value, not a list"},
           {"rate = 2026-01-01", "rate must be a value, not a date or a time"},
           {"rate = 5\ncpus = {a = 1}", "cpus must be a value or a list of such, not a table"},
           {"rate = 5\ncpus = [[1]]", "cpus must be a list of values, not a list"},
           {"rate = 5\nbody = \"\"", "body is empty: leave it out"},
           {"rate = \"max\"", "rate = \"max\" is of the search for the highest rate"},
           {"rate = 5\nslo = \"p99<1s\"", "slo is of the search for the highest rate"},
           {"rate = 5\nstart-rate = 5", "start-rate is of the search for the highest rate"},
           {"rate = 5\njson = \"x\"", "json is of the whole scenario: say it on the command line"},
           {"rate = 5\ncsv = \"x\"", "csv is of the whole scenario"},
           {"rate = 5\nhgrm = \"x\"", "hgrm is of the whole scenario"},
           {"rate = 5\nhtml = \"x\"", "html is of the whole scenario"},
           {"rate = 5\nno-live = true", "no-live means nothing here"},
           {"rate = 5\nprom = \"9100\"", "prom is of a run with one load"},
       }) {
    INFO(line);
    const std::string said = errors_of(with(line));
    CHECK_THAT(said, ContainsSubstring(error));
    CHECK(said.find('\n') == std::string::npos);
  }
}

TEST_CASE("what is wrong with a value is told at its key, at others' at the load's table") {
  CHECK_THAT(errors_of(with("rate = 5\nconnections = 0")), ContainsSubstring("5:1: --conn"));
  // --connect-timeout is another option than --connections or --timeout.
  CHECK_THAT(errors_of(with("rate = 5\ntimeout = \"1s\"\nconnect-timeout = \"1\"")),
             ContainsSubstring("6:1: --connect-timeout 1: "));
  CHECK_THAT(errors_of(with("mode = \"rr\"")), ContainsSubstring("2:1: say how"));
}

TEST_CASE("starts have to be before the end, and one of them the beginning", "[load]") {
  CHECK(errors_of(with("rate = 5\nstart = 5")) ==
        "5:1: start must be a duration in quotes, such as \"10s\", not the number 5");
  CHECK_THAT(errors_of(with("rate = 5\nstart = \"5\"")), ContainsSubstring("5:1: start 5: \"5\""));
  CHECK(errors_of(with("rate = 5\nstart = \"5s\"")) ==
        "2:1: no load has the start \"0s\": the scenario begins with one");
  CHECK(errors_of("duration = \"9s\"\n" + std::string(minimal) +
                  "[[load]]\nname = \"b\"\nrate = 1\nstart = \"9s\"") ==
        "9:1: start is not before the end of the scenario's duration");
}

TEST_CASE("weights share a rate that is there, and nothing else says how the load comes") {
  const std::string shared = "rate = \"10k\"\n";
  for (const char* weight : {"0", "-1", "1.5", "\"3\"", "1000001", "true"}) {
    INFO(weight);
    const std::string said = errors_of(shared + with("weight = " + std::string(weight)));
    CHECK_THAT(said, StartsWith("5:1: weight must be a whole number from 1 to 1000000, not "));
    CHECK(said.find('\n') == std::string::npos);
  }
  for (const char* shape :
       {"rate = 5", "ramp = \"1:2:3s\"", "steps = \"1,2@3s\"", "closed = true"}) {
    INFO(shape);
    const std::string said = errors_of(shared + with("weight = 1\n" + std::string(shape)));
    CHECK_THAT(said, StartsWith("5:1: weight gives the load a share of the scenario's rate, and "));
    CHECK(said.find('\n') == std::string::npos);
  }
  CHECK(errors_of(with("weight = 1")) ==
        "4:1: weight gives the load a share of the scenario's rate, which is missing: say rate = … "
        "above the loads");
  CHECK(errors_of(shared + with("rate = 5")) ==
        "1:1: rate is shared out among the loads that have a weight, and none has");
  CHECK_THAT(errors_of("rate = 0\n" + with("weight = 1")), StartsWith("1:1: rate: "));
  CHECK(errors_of("rate = []\n" + with("weight = 1")) ==
        "1:1: rate must be a rate, such as 5000 or \"20k\", not a list");
}

TEST_CASE("every error is told at once, in the order of the file") {
  CHECK(errors_of("nonsense = 1\n" + with("bogus = 1\nstart = 1")) ==
        "1:1: unknown key nonsense; known here: target, duration, rate, load\n" +
            errors_of("target = \"127.0.0.1:7000\"\n\n[[load]]\nname = \"a\"\nbogus = 1") + "\n" +
            "6:1: start must be a duration in quotes, such as \"10s\", not the number 1");
}

TEST_CASE("conf/load/mix.toml is a scenario", "[load]") {
  const auto document =
      config::load_document(PENSTOCK_TEST_DATA "/../../conf/load/mix.toml", "the scenario");
  REQUIRE(document);
  const auto read = read_scenario(*document, {});
  if (!read) FAIL(read.error().front().text());
  REQUIRE(read->size() == 3);
  CHECK((*read)[0].options.profile.front().from_per_second == 7500);
  CHECK((*read)[2].start == 10s);
}

TEST_CASE("a scenario that cannot be read says so") {
  const auto document = config::load_document("/nowhere/mix.toml", "the scenario");
  REQUIRE_FALSE(document);
  CHECK(document.error().front().text() ==
        "/nowhere/mix.toml:1:1: cannot open the scenario: No such file or directory");
}

}  // namespace
}  // namespace penstock::load

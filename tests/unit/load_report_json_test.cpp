// Runs as JSON and back, and as CSV.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdint>
#include <vector>

#include "load_report_runs.h"
#include "penstock/base/json.h"
#include "penstock/load/hgrm.h"
#include "penstock/load/report_csv.h"
#include "penstock/load/report_json.h"
#include "penstock/load/report_text.h"

namespace penstock::load {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string problem_of(const std::string& text) {
  const auto run = read_json_report(text);
  return run ? "" : run.error().message;
}

TEST_CASE("a run comes back from JSON as it was") {
  for (const RunResult& result :
       {made_up_run(), run_with_errors(), run_without_operation(), interrupted_run()}) {
    const RunSummary run = summarize(result);
    const auto back = read_json_report(json_report(run));
    REQUIRE(back);
    CHECK(back->distributions == run.distributions);
    CHECK(back->errors == run.errors);
    CHECK(back->errnos == run.errnos);
    CHECK(back->statuses == run.statuses);
    CHECK(back->alerts == run.alerts);
    CHECK(text_report(*back) == text_report(run));
    CHECK(csv_report(*back) == csv_report(run));
    CHECK(json_report(*back) == json_report(run));
  }
}

TEST_CASE("a program finds a run's numbers in its JSON by their names") {
  const RunResult result = run_with_errors();
  const Json json = Json::parse(json_report(summarize(result)));
  CHECK(json["schema_version"] == 1);
  CHECK(json["run"]["settings"]["loop"] == "open");
  CHECK(json["run"]["start_ns"] == 2'000'000'000);
  CHECK(json["run"]["achieved_per_second"] == 1000.0);
  CHECK(json["run"]["intervals"].size() == 10);
  CHECK(json["errors"]["connect_refused"] == 12);
  CHECK(json["errnos"]["111"] == 12);
  CHECK(json["http_statuses"]["503"] == 1);
  CHECK(json["tls_alerts"]["40"] == 1);
  const Json& buckets = json["run"]["intervals"][0]["latency_up_to_ns"];
  CHECK(buckets == Json({{"98303", 500}, {"131071", 490}, {"2097151", 10}}));
  const Json& latency = json["measures"]["latency"];
  CHECK(latency["count"] == 10'000);
  CHECK(latency["max_ns"] == 10'000'000);
  CHECK(latency["percentiles_ns"]["p99.9"] ==
        result.total.histogram(Measure::latency).percentile(99.9).count());
  CHECK(latency["hdr_histogram"] == hgrm_encoded(result.total.histogram(Measure::latency)).value());
}

TEST_CASE("an interval keeps its latencies in two buckets to each doubling") {
  Recorder measured;
  for (const Duration value : {1ns, 2ns, 3ns, 4ns, 5ns, 6ns, 3071ns, 3072ns, 4095ns, 1'000'000ns}) {
    measured.record(Measure::latency, value);
  }
  measured.record(Measure::latency, 1h);
  measured.record(Measure::lag, 1s);
  const Interval interval = summarize(measured, {.length = 1s});
  const std::vector<LatencyBucket> expected = {{.up_to = 1ns, .count = 1},
                                               {.up_to = 2ns, .count = 1},
                                               {.up_to = 3ns, .count = 1},
                                               {.up_to = 5ns, .count = 2},
                                               {.up_to = 7ns, .count = 1},
                                               {.up_to = 3071ns, .count = 1},
                                               {.up_to = 4095ns, .count = 2},
                                               {.up_to = 1'048'575ns, .count = 1},
                                               {.up_to = 4'398'046'511'103ns, .count = 1}};
  CHECK(interval.latency_buckets == expected);
}

TEST_CASE("what is no report is refused with the reason") {
  CHECK_THAT(problem_of("not JSON"), ContainsSubstring("no JSON object"));
  CHECK_THAT(problem_of("[]"), ContainsSubstring("no JSON object"));
  CHECK_THAT(problem_of("{}"), ContainsSubstring("schema_version has to be 1"));
  CHECK_THAT(problem_of(R"({"schema_version": 2})"), ContainsSubstring("has to be 1"));
  CHECK_THAT(problem_of(R"({"schema_version": 1})"), ContainsSubstring("\"run\" is missing"));
}

TEST_CASE("a damaged report is refused with the place of the damage") {
  const Json whole = Json::parse(json_report(summarize(run_with_errors())));
  const auto damaged = [&](const char* pointer, const Json& value) {
    Json json = whole;
    json[Json::json_pointer(pointer)] = value;
    return problem_of(json.dump());
  };
  CHECK_THAT(damaged("/run/settings/threads", -1),
             ContainsSubstring("\"run.settings.threads\" is not a whole number"));
  CHECK_THAT(damaged("/run/settings/threads", 4294967296),
             ContainsSubstring("\"run.settings.threads\" is not a whole number"));
  CHECK_THAT(damaged("/run/settings/loop", "other"),
             ContainsSubstring("\"run.settings.loop\" is not open or closed"));
  CHECK_THAT(damaged("/run/intervals/3/offset_ns", 1e300),
             ContainsSubstring("\"run.intervals[3].offset_ns\" is not a whole number"));
  for (const char* name : {"", "-1", "0", "9x", "1e9", "7200000000001"}) {
    CHECK_THAT(damaged("/run/intervals/3/latency_up_to_ns", Json({{name, 1}})),
               ContainsSubstring("\"run.intervals[3].latency_up_to_ns\" is not an object"));
  }
  CHECK_THAT(damaged("/run/intervals/3/latency_up_to_ns/98303", -1),
             ContainsSubstring("\"run.intervals[3].latency_up_to_ns.98303\" is not a whole"));
  CHECK_THAT(damaged("/run/duration_ns", INT64_MAX),
             ContainsSubstring("\"run.duration_ns\" is not a whole number of ns"));
  CHECK_THAT(damaged("/run/intervals", 3), ContainsSubstring("\"run.intervals\" is not a list"));
  CHECK_THAT(damaged("/run/health", Json::array()),
             ContainsSubstring("\"run.health.lag_p99_ns\" is missing"));
  CHECK_THAT(damaged("/run/settings/host", 3), ContainsSubstring("is not a text"));
  CHECK_THAT(damaged("/run/interrupted", 3), ContainsSubstring("is not true or false"));
  CHECK_THAT(damaged("/run/asked_per_second", "x"), ContainsSubstring("is not a number"));
  CHECK_THAT(damaged("/errors/corrupt", "x"), ContainsSubstring("\"errors.corrupt\" is not"));
  CHECK_THAT(damaged("/errnos/x", 1), ContainsSubstring("\"errnos.x\" is not called by a number"));
  CHECK_THAT(damaged("/http_statuses", 1), ContainsSubstring("\"http_statuses\" is not"));
  CHECK_THAT(damaged("/measures/latency/percentiles_ns/p101", 1),
             ContainsSubstring("\"measures.latency.percentiles_ns\" is not an object"));
  CHECK_THAT(damaged("/measures/latency/spectrum_ns/pnan", 1),
             ContainsSubstring("\"measures.latency.spectrum_ns\" is not an object"));
  CHECK_THAT(damaged("/measures/latency/spectrum_ns/p50", "x"),
             ContainsSubstring("\"measures.latency.spectrum_ns.p50\" is not a whole number"));
}

TEST_CASE("a name that is no UTF-8 does not break the JSON") {
  RunResult run = made_up_run();
  run.facts.settings.command_line = "penstock-load \xff";
  CHECK(read_json_report(json_report(summarize(run))));
}

TEST_CASE("CSV has a line of names and one for each interval") {
  RunResult run = run_with_errors();
  run.facts.intervals.resize(6);
  run.facts.intervals.erase(run.facts.intervals.begin(), run.facts.intervals.begin() + 4);
  CHECK(csv_report(summarize(run)) ==
        "offset_s,length_s,operations,errors,waiting,unsent,bytes_in,bytes_out,connections,"
        "handshakes_full,handshakes_resumed,lost_bytes,corrupt_streams,latency_p50_us,"
        "latency_p99_us,latency_max_us,lag_p99_us,interrupted\r\n"
        "5.000000000,1.000000000,1000,13,0,0,64000,64000,0,0,0,0,0,100.000,1040.000,2000.000,"
        "5.000,0\r\n"
        "6.000000000,1.000000000,1000,0,7,0,64000,64000,0,0,0,0,0,100.000,1050.000,2000.000,"
        "5.000,0\r\n");
}

TEST_CASE("CSV says on every line that a run was interrupted") {
  RunResult run = interrupted_run();
  run.facts.intervals.resize(2);
  const std::string text = csv_report(summarize(run));
  CHECK_THAT(text, ContainsSubstring("lag_p99_us,interrupted\r\n"));
  CHECK(text.ends_with(",1\r\n"));
  CHECK_THAT(text, ContainsSubstring(",1\r\n2.000000000,"));
}

TEST_CASE("an interval is boiled down to what its series show") {
  const RunResult run = made_up_run();
  const Interval interval = summarize(run.total, {.offset = 2s, .length = 1s, .waiting = 4});
  CHECK(interval.offset == 2s);
  CHECK(interval.count.operations == 10'000);
  CHECK(interval.waiting == 4);
  CHECK(interval.latency_max == 10ms);
  CHECK(interval.lag_p99 == 5us);
}

}  // namespace
}  // namespace penstock::load

// The HTML report: well-formed, of one piece, and deaf to what names want to say in HTML.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../../src/load/report_heat_map.h"
#include "../../src/load/report_series.h"
#include "load_report_runs.h"
#include "penstock/load/report_html.h"
#include "penstock/load/report_json.h"

namespace penstock::load {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string html_of(const RunResult& result) {
  const RunSummary run = summarize(result);
  return html_report({&run, 1});
}

/// The first tag that has no partner.
std::optional<std::string> unbalanced(const std::string& html) {
  const std::set<std::string> alone = {"!doctype", "meta", "link"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return html.substr(at, 40);
    const std::string tag = html.substr(at + 1, end - at - 1);
    std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (alone.contains(name) || tag.ends_with('/')) continue;
    if (!name.starts_with('/')) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name.substr(1)) {
      return name;
    } else {
      open.pop_back();
    }
  }
  if (open.empty()) return std::nullopt;
  return open.back();
}

std::string without_namespace(std::string html) {
  const std::string name = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (std::size_t at = html.find(name); at != std::string::npos; at = html.find(name)) {
    html.erase(at, name.size());
  }
  return html;
}

TEST_CASE("the HTML of any run is well-formed and needs nothing from elsewhere") {
  for (const RunResult& result :
       {made_up_run(), run_with_errors(), run_without_operation(), interrupted_run()}) {
    const std::string html = html_of(result);
    CHECK(unbalanced(html) == std::nullopt);
    CHECK_THAT(without_namespace(html), !ContainsSubstring("http://"));
    for (const char* foreign : {"https://", "<script", "<img", "@import", "url("}) {
      CHECK_THAT(html, !ContainsSubstring(foreign));
    }
    CHECK_THAT(html, !ContainsSubstring("nan") && !ContainsSubstring("inf,"));
  }
}

TEST_CASE("names from outside are text in the HTML") {
  RunResult run = made_up_run();
  run.facts.settings.target = "<script>alert('x')</script>";
  run.facts.settings.host = "\"><b>&";
  run.facts.settings.labels = {{.name = "<i>", .text = "</dd>"}};
  run.facts.notes = {{.name = "<u>", .text = "<u>"}};
  run.facts.assertions = {{.text = "p99 < 1ms: <2ms>", .holds = false}};
  run.facts.health.unfit_reasons = {"<s>"};
  const std::vector<RunSummary> runs = {summarize(run), summarize(run)};
  for (const std::string& html : {html_of(run), html_report(runs)}) {
    CHECK_THAT(html, ContainsSubstring("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    for (const char* raw : {"<script", "<b>&", "<i>", "<u>", "<s>", "<2ms"}) {
      CHECK_THAT(html, !ContainsSubstring(raw));
    }
    CHECK(unbalanced(html) == std::nullopt);
  }
}

TEST_CASE("the HTML shows the spectrum, the time series, the phases and the facts") {
  const std::string html = html_of(run_with_errors());
  for (const char* shown :
       {"Latency by percentile", "Latency over time", "Throughput over time", "Errors over time",
        "Operations by latency", "Operations that waited", "Lag of the generator", ">service time<",
        "<th>connect</th>", "from the connect to the established", ">99.9%<", ">asked for<",
        "connection refused", "FAILED: err == 0: 13", "Steps", "6.18.0", "retransmits",
        "OPEN loop at 1k"}) {
    CHECK_THAT(html, ContainsSubstring(shown));
  }
}

TEST_CASE("the HTML of a run without one operation has no latencies") {
  const std::string html = html_of(run_without_operation());
  CHECK_THAT(html, ContainsSubstring("FAILED: no operation went well"));
  CHECK_THAT(html, ContainsSubstring("nothing was measured"));
  CHECK_THAT(html, !ContainsSubstring("<figure>"));
}

TEST_CASE("the HTML of an interrupted closed loop says that it is both") {
  const std::string html = html_of(interrupted_run());
  CHECK_THAT(html, ContainsSubstring("CLOSED loop"));
  CHECK_THAT(html, ContainsSubstring("partial results"));
  CHECK_THAT(html, ContainsSubstring("coordinated omission"));
}

TEST_CASE("several runs share their charts, and a table has the ratios") {
  RunResult slower = made_up_run();
  slower.facts.achieved_per_second = 500;
  const std::vector<RunSummary> runs = {summarize(made_up_run()), summarize(slower)};
  const std::string html = html_report(runs);
  CHECK(unbalanced(html) == std::nullopt);
  CHECK_THAT(html, ContainsSubstring(">#1 base<") && ContainsSubstring(">#2 base<"));
  CHECK_THAT(html, ContainsSubstring("Operations by latency, over time: #2 base"));
  CHECK_THAT(html, ContainsSubstring("500/s<span class=\"ratio\">x0.5</span>"));
}

TEST_CASE("a run brought back from JSON gives the same HTML") {
  const RunSummary run = summarize(run_with_errors());
  const auto back = read_json_report(json_report(run));
  REQUIRE(back);
  CHECK(html_report({&*back, 1}) == html_report({&run, 1}));
}

TEST_CASE("a day's intervals are thinned out in the charts") {
  RunResult run = made_up_run();
  for (int second = 11; second <= 86'400; ++second) {
    run.facts.intervals.push_back(made_up_interval(second));
  }
  CHECK(html_of(run).size() < 100'000);
}

std::string chart_of(const RunResult& result, const std::string& title) {
  const std::string html = html_of(result);
  const std::size_t begin = html.find("<figcaption>" + title);
  return begin == std::string::npos ? ""
                                    : html.substr(begin, html.find("</figure>", begin) - begin);
}

std::size_t times_in(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++times;
  }
  return times;
}

TEST_CASE("the HTML of a run with streams shows their bits over time") {
  RunResult run = made_up_run();
  CHECK_THAT(html_of(run), !ContainsSubstring("Bulk data over time"));
  run.facts.streams = {{.up = true, .whole = true, .bytes = 1'250'000'000, .lasted = 10s}};
  const std::string flat = chart_of(run, "Bulk data over time, Gbit a second");
  CHECK_THAT(flat, ContainsSubstring(">in<") && ContainsSubstring(">out<"));
  for (Interval& interval : run.facts.intervals) interval.count.bytes_out = 1'250'000'000;
  CHECK_THAT(chart_of(run, "Bulk data over time"), ContainsSubstring(">10<"));  // Gbit a second
  const std::vector<RunSummary> runs = {summarize(run), summarize(made_up_run())};
  CHECK_THAT(html_report(runs), ContainsSubstring(">#1 base, in<"));
}

TEST_CASE("what ends after the deadline is no dip of the throughput") {
  RunResult run = made_up_run();
  const std::string whole = chart_of(run, "Throughput");
  Interval remnant{.offset = 11s, .length = 1ms, .count = {.operations = 1}};
  remnant.latency_p50 = remnant.latency_p99 = 900ms;
  run.facts.intervals.push_back(remnant);
  const std::string with_remnant = chart_of(run, "Throughput");
  CHECK(times_in(whole, "V") == times_in(with_remnant, "V"));
  CHECK_THAT(chart_of(run, "Latency over time"), !ContainsSubstring("500ms"));
  run.facts.intervals.back().length = 600ms;
  CHECK(times_in(whole, "V") < times_in(chart_of(run, "Throughput"), "V"));
}

TEST_CASE("the warm-up is shaded, and nothing is drawn where nothing is measured") {
  RunResult run = made_up_run();
  CHECK(times_in(chart_of(run, "Throughput"), "class=\"shade\"") == 1);
  CHECK_THAT(chart_of(run, "Throughput"), ContainsSubstring("grey: warm-up"));
  const std::string before = chart_of(run, "Throughput");
  const Interval warming_up{.offset = 0s, .length = 1s, .count = {}};
  run.facts.intervals.insert(run.facts.intervals.begin(), warming_up);
  CHECK(chart_of(run, "Throughput") == before);
  run.facts.warmup = 0s;
  CHECK(times_in(chart_of(run, "Throughput"), "class=\"shade\"") == 0);
}

TEST_CASE("a run that ended in its warm-up has no charts, and numbers that can be") {
  RunResult run = run_without_operation();
  run.facts.warmup = 1s;
  run.facts.duration = 0s;
  run.total.count.bytes_in = 1000;
  run.facts.intervals = {{.offset = 0s, .length = 1s, .count = {}},
                         {.offset = 1s, .length = 1ms, .count = {}}};
  const std::string html = html_of(run);
  CHECK_THAT(html, !ContainsSubstring("<figure>") && ContainsSubstring("0B/s in, 0B/s out"));
}

TEST_CASE("a table of steps has a column for conditions where there are any") {
  RunResult run = run_with_errors();
  CHECK_THAT(html_of(run), ContainsSubstring("<th>conditions</th>"));
  run.facts.steps.front().findings.clear();
  CHECK_THAT(html_of(run), !ContainsSubstring("<th>conditions</th>"));
}

TEST_CASE("a curve of latencies is broken off where there are none") {
  RunResult run = made_up_run();
  run.facts.intervals[5].latency_p50 = run.facts.intervals[5].latency_p99 =
      run.facts.intervals[5].latency_max = 0ns;
  const std::string whole = chart_of(made_up_run(), "Latency over time");
  CHECK(times_in(chart_of(run, "Latency over time"), "M") == times_in(whole, "M") + 3);
}

TEST_CASE("one slow operation among thousands is a cell of its own in the heat map") {
  RunResult run = made_up_run();
  const std::string quick = chart_of(run, "Operations by latency");
  CHECK(times_in(quick, "M") == 3);  // a bucket lasts all the time
  run.facts.intervals[3].latency_buckets.push_back({.up_to = (1ns * (1 << 30)) - 1ns, .count = 1});
  CHECK(times_in(chart_of(run, "Operations by latency"), "M") == 4);
}

TEST_CASE("each of many runs has a line of its own kind") {
  std::vector<RunSummary> runs;
  for (int i = 0; i < 8; ++i) runs.push_back(summarize(made_up_run()));
  const std::string html = html_report(runs);
  CHECK_THAT(html, ContainsSubstring("\"c0\"") && ContainsSubstring("\"c0 dotted\""));
  CHECK_THAT(html, ContainsSubstring("\"c1 dotted\"") && !ContainsSubstring("\"c2 dotted\""));
}

TEST_CASE("runs at once are drawn by the time since the first of them began") {
  RunSummary runs[] = {summarize(made_up_run()), summarize(made_up_run())};
  const std::vector<Interval> first = shown_intervals(runs[0].facts, 100);
  CHECK(first.front().offset == 1s);  // after the warm-up
  CHECK(measured_from(runs[0].facts) == 1s);
  CHECK(time_axis(runs, 0).high < 20);
  runs[1].facts.start = 10s;
  const std::vector<Interval> later = shown_intervals(runs[1].facts, 100);
  CHECK(later.front().offset == 11s);
  CHECK(later.front().length == first.front().length);
  CHECK(measured_from(runs[1].facts) == 11s);
  CHECK(time_axis(runs, 0).high >= 21);
  CHECK(time_axis(runs, 1).title == "seconds since the start; grey: not measured");
  runs[1].facts.warmup = 0s;
  CHECK(measured_from(runs[1].facts) == 0s);  // there is nothing to shade
  const std::string alone = html_report({&runs[1], 1});
  CHECK(unbalanced(alone) == std::nullopt);
}

TEST_CASE("a single interval and a single value are shown") {
  RunResult run = run_without_operation();
  run.total.record(Measure::latency, 1ms);
  run.facts.intervals = {made_up_interval(0)};
  CHECK_THAT(chart_of(run, "Latency over time"), ContainsSubstring("H488.0\"><title>p50"));
  const std::string html = html_of(run);
  CHECK_THAT(html, !ContainsSubstring("nan"));
  CHECK(unbalanced(html) == std::nullopt);
}

TEST_CASE("numbers from a foreign file that nobody measured do not break the HTML") {
  RunSummary run = summarize(made_up_run());
  run.distributions.front().spectrum.clear();
  run.distributions.front().table.clear();
  run.facts.intervals.front().offset = 87600h;
  run.facts.intervals.front().length = Duration(0);
  run.facts.asked_per_second = std::numeric_limits<double>::max();
  run.facts.achieved_per_second = 0;
  CHECK(unbalanced(html_report({&run, 1})) == std::nullopt);
}

}  // namespace
}  // namespace penstock::load

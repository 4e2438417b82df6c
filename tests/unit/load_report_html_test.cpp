// The HTML report: well-formed, of one piece, and deaf to what names want to say in HTML.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
        "Operations that waited", "Lag of the generator", ">service time<", "<td>connect</td>",
        ">99.9%<", "connection refused", "FAILED: err == 0: 13", "Steps", "6.18.0", "retransmits",
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
  CHECK_THAT(html, ContainsSubstring("#1 latency") && ContainsSubstring("#2 latency"));
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

TEST_CASE("a single interval and a single value are shown") {
  RunResult run = run_without_operation();
  run.total.record(Measure::latency, 1ms);
  run.facts.intervals = {made_up_interval(0)};
  const std::string html = html_of(run);
  CHECK_THAT(html, ContainsSubstring("<circle"));
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

// The page: what it is about, the verdict, figures, charts, tables, facts. The charts are drawn in
// report_curves.cpp. Every text that comes from outside goes through escaped().
#include "penstock/load/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/load/units.h"
#include "report_chart.h"
#include "report_compare.h"
#include "report_curves.h"
#include "report_parts.h"
#include "report_style.h"

namespace penstock::load {
namespace {

std::string tag(std::string_view name, std::string_view text) {
  return fmt::format("<{}>{}</{}>", name, escaped(text), name);
}

std::string note(std::string_view style, std::string_view text) {
  return fmt::format("<p class=\"note {}\">{}</p>\n", style, escaped(text));
}

std::string row(std::string_view cell, const std::vector<std::string>& cells) {
  std::string text = "<tr>";
  for (const std::string& each : cells) text += tag(cell, each);
  return text + "</tr>\n";
}

std::string table(const std::string& rows) {
  return "<div class=\"table\"><table>\n" + rows + "</table></div>\n";
}

std::string verdict(const RunSummary& run) {
  std::string_view style = run.error_count() == 0 ? "good" : "warn";
  if (run.facts.exit_code != 0 || run.facts.interrupted) style = "bad";
  std::string text =
      fmt::format("<p class=\"badge {}\">{}</p>\n", style, escaped(verdict_text(run)));
  for (const std::string& warning : warnings_of(run.facts)) text += note("warn", warning);
  for (const Finding& finding : run.facts.assertions) {
    text += note(finding.holds ? "good" : "bad",
                 (finding.holds ? "holds: " : "FAILED: ") + finding.text);
  }
  return text;
}

std::string tiles(const RunSummary& run) {
  std::vector<std::pair<std::string, std::string>> tiles = {
      {number_text(run.facts.achieved_per_second) + "/s",
       run.facts.asked_per_second > 0
           ? fmt::format("operations, {}/s asked for", number_text(run.facts.asked_per_second))
           : "operations"}};
  if (const Distribution* latency = run.find(Measure::latency)) {
    for (const Percentile& percentile : latency->table) {
      if (percentile.percent != 50 && percentile.percent != 99) continue;
      tiles.emplace_back(duration_text(percentile.value),
                         "latency " + percentile_name(percentile.percent));
    }
    tiles.emplace_back(duration_text(latency->max), "latency max");
  }
  tiles.emplace_back(std::to_string(run.error_count()), "errors");
  tiles.emplace_back(std::to_string(run.count.lost_bytes), "bytes lost");
  tiles.emplace_back(std::to_string(run.count.corrupt_streams), "streams corrupt");
  std::string text = "<div class=\"tiles\">\n";
  for (const auto& [value, name] : tiles) {
    text += fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", escaped(value),
                        escaped(name));
  }
  return text + "</div>\n";
}

std::string measures(const RunSummary& run) {
  if (run.distributions.empty()) return note("warn", "nothing was measured");
  std::vector<std::string> titles = {"", "count"};
  for (const double percent : report_percentiles) titles.push_back(percentile_name(percent));
  for (const char* title : {"max", "mean", "stdev"}) titles.emplace_back(title);
  std::string rows = row("th", titles);
  for (const Distribution& distribution : run.distributions) {
    std::vector<std::string> cells = {measure_title(distribution.measure),
                                      std::to_string(distribution.count)};
    for (const Percentile& percentile : distribution.table) {
      const bool shown = percentile.percent <= 50 || tells(distribution, percentile.percent);
      cells.push_back(shown ? duration_text(percentile.value) : "-");
    }
    for (const Duration value : {distribution.max, distribution.mean, distribution.deviation}) {
      cells.push_back(duration_text(value));
    }
    rows += row("td", cells);
  }
  return table(rows);
}

std::string errors(const RunSummary& run) {
  std::vector<ErrorLine> lines = error_lines(run);
  for (ErrorLine& line : error_details(run)) lines.push_back(std::move(line));
  if (lines.empty()) return "";
  std::string rows;
  for (const ErrorLine& line : lines) {
    rows += fmt::format("<tr><td>{}</td><td class=\"text\">{}</td></tr>\n", line.count,
                        escaped(line.text));
  }
  return "<h2>Errors and answers</h2>\n" + table(rows);
}

std::string steps(const RunFacts& facts) {
  if (facts.steps.empty()) return "";
  std::string rows =
      row("th", {"asked", "achieved", "operations", "errors", "p50", "p99", "max", "conditions"});
  for (const Step& step : facts.steps) {
    const bool hold = std::ranges::all_of(step.findings, &Finding::holds);
    rows +=
        row("td", {number_text(step.asked_per_second) + "/s",
                   number_text(step.achieved_per_second) + "/s", std::to_string(step.operations),
                   std::to_string(step.errors), duration_text(step.latency_p50),
                   duration_text(step.latency_p99), duration_text(step.latency_max),
                   step.findings.empty() ? "-" : (hold ? "hold" : "fail")});
  }
  return "<h2>Steps</h2>\n" + table(rows);
}

std::string facts(const RunSummary& run) {
  const RunSettings& settings = run.facts.settings;
  const Counters& count = run.count;
  std::vector<std::pair<std::string, std::string>> facts = {
      {"command", settings.command_line},
      {"load", shape_text(settings)},
      {"measured", span_text(run.facts)},
      {"operations", fmt::format("{} went well, {} in flight at the deadline, {} never sent",
                                 count.operations, run.facts.in_flight_at_deadline, count.unsent)},
      {"bytes", fmt::format("{} in, {} out", byte_rate_text(count.bytes_in, run.facts.duration),
                            byte_rate_text(count.bytes_out, run.facts.duration))},
      {"connections",
       fmt::format("{} opened, {} attempts failed; TLS handshakes {} full, {} resumed",
                   count.connections, count.connections_failed, count.handshakes_full,
                   count.handshakes_resumed)},
      {"generator", health_text(run.facts)},
      {"host", fmt::format("{}, Linux {}, {}", settings.host, settings.kernel,
                           counted(settings.cpus, "cpu"))},
      {"penstock-load", fmt::format("{}, started {}", settings.version, settings.started_at)}};
  for (const NamedText& label : settings.labels) facts.emplace_back(label.name, label.text);
  for (const NamedText& extra : run.facts.notes) facts.emplace_back(extra.name, extra.text);
  std::string text = "<dl>\n";
  for (const auto& [name, value] : facts) text += tag("dt", name) + tag("dd", value) + "\n";
  return text + "</dl>\n";
}

std::string comparison(std::span<const RunSummary> runs) {
  std::vector<std::string> titles = {""};
  for (std::size_t i = 0; i < runs.size(); ++i) titles.push_back(run_name(i));
  std::string rows = row("th", titles);
  for (const CompareRow& compared : compare_rows(runs)) {
    rows += "<tr>" + tag("td", compared.name);
    for (const CompareCell& cell : compared.cells) {
      rows += "<td>" + escaped(cell.value);
      if (!cell.ratio.empty()) {
        rows += fmt::format("<span class=\"ratio\">{}</span>", escaped(cell.ratio));
      }
      rows += "</td>";
    }
    rows += "</tr>\n";
  }
  return table(rows);
}

std::string page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      escaped(title), report_style, body);
}

std::string charts(std::span<const RunSummary> runs) {
  const std::string figures = charts_html(runs);
  return figures.empty() ? "" : "<h2>Charts</h2>\n<div class=\"charts\">\n" + figures + "</div>\n";
}

std::string one_run(const RunSummary& run) {
  const RunSettings& settings = run.facts.settings;
  return page(fmt::format("penstock-load: {} on {}", settings.mode, settings.target),
              fmt::format("<h1>{}</h1>\n", escaped(settings.mode + " on " + settings.target)) +
                  fmt::format("<p class=\"sub\">{}</p>\n", escaped(loop_text(settings))) +
                  verdict(run) + tiles(run) + charts({&run, 1}) + "<h2>Percentiles</h2>\n" +
                  measures(run) + errors(run) + steps(run.facts) + "<h2>The run</h2>\n" +
                  facts(run));
}

std::string several_runs(std::span<const RunSummary> runs) {
  std::string body = fmt::format("<h1>{} runs compared</h1>\n", runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    body += fmt::format("<p class=\"sub\">{} {}</p>\n", run_name(i), escaped(run_title(runs[i])));
  }
  for (const std::string& warning : compare_warnings(runs)) body += note("warn", warning);
  body += charts(runs) + "<h2>Ratios to the first</h2>\n" + comparison(runs);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    body += fmt::format("<h2>{} {}</h2>\n", run_name(i), escaped(run_title(runs[i])));
    body += verdict(runs[i]) + measures(runs[i]) + errors(runs[i]) + facts(runs[i]);
  }
  return page(fmt::format("penstock-load: {} runs compared", runs.size()), body);
}

}  // namespace

std::string html_report(std::span<const RunSummary> runs) {
  return runs.size() == 1 ? one_run(runs.front()) : several_runs(runs);
}

}  // namespace penstock::load

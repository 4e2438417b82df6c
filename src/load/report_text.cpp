// The final report, from top to bottom: header, percentiles, counts, warnings, verdict.
#include "penstock/load/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "penstock/load/units.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

std::string header(const RunFacts& facts) {
  const RunSettings& settings = facts.settings;
  std::string text = entry(
      "run", fmt::format("{} on {}: {}", settings.mode, settings.target, loop_text(settings)));
  text += entry("command", settings.command_line);
  text += entry("load", shape_text(settings));
  text += entry("measured", span_text(facts));
  text += entry("host", fmt::format("{}, Linux {}, {}; penstock-load {}, started {}", settings.host,
                                    settings.kernel, counted(settings.cpus, "cpu"),
                                    settings.version, settings.started_at));
  for (const NamedText& label : settings.labels) {
    text += entry("label", fmt::format("{}={}", label.name, label.text));
  }
  return text;
}

struct Column {
  std::string title;
  std::vector<std::string> cells;
};

std::vector<Column> percentile_columns(const RunSummary& run) {
  std::vector<Column> result;
  for (std::size_t i = 0; i < std::size(report_percentiles); ++i) {
    const double percent = report_percentiles[i];
    Column column{.title = percentile_name(percent), .cells = {}};
    bool any = false;
    for (const Distribution& row : run.distributions) {
      const bool shown = i < row.table.size() && (i == 0 || tells(row, percent));
      column.cells.push_back(shown ? duration_text(row.table[i].value) : "-");
      any = any || shown;
    }
    if (any) result.push_back(std::move(column));
  }
  return result;
}

std::string percentile_table(const RunSummary& run) {
  if (run.distributions.empty()) return "nothing was measured\n";
  std::vector<Column> table = percentile_columns(run);
  table.push_back({.title = "max", .cells = {}});
  table.push_back({.title = "mean", .cells = {}});
  table.push_back({.title = "stdev", .cells = {}});
  for (const Distribution& row : run.distributions) {
    table[table.size() - 3].cells.push_back(duration_text(row.max));
    table[table.size() - 2].cells.push_back(duration_text(row.mean));
    table[table.size() - 1].cells.push_back(duration_text(row.deviation));
  }
  std::string text = fmt::format("{:<10}", "");
  // 7 columns hold "1.63ms" and a blank.
  const auto width = [](const Column& column) {
    return std::max<std::size_t>(7, column.title.size() + 1);
  };
  for (const Column& column : table) text += fmt::format("{:>{}}", column.title, width(column));
  text += fmt::format("{:>11}\n", "count");
  for (std::size_t row = 0; row < run.distributions.size(); ++row) {
    text += fmt::format("{:<10}", measure_title(run.distributions[row].measure));
    for (const Column& column : table) {
      text += fmt::format("{:>{}}", column.cells[row], width(column));
    }
    text += fmt::format("{:>11}\n", run.distributions[row].count);
  }
  return text;
}

/// How long each percentile of the latency is, on a logarithmic axis that begins a little below the
/// median: what lies under it would leave no room for the tail.
std::string bars(const RunSummary& run) {
  const Distribution* latency = run.find(Measure::latency);
  if (latency == nullptr) return "";
  constexpr double longest_bar = 72;
  const auto log_of = [](Duration value) {
    return std::log(std::max(static_cast<double>(value.count()), 1.0));
  };
  const Duration start = latency->table.empty() ? latency->min : latency->table.front().value / 2;
  const double lowest = log_of(start);
  const double span = std::max(log_of(latency->max) - lowest, 1e-9);
  const auto bar = [&](std::string_view name, Duration value) {
    const double share = std::clamp((log_of(value) - lowest) / span, 0.0, 1.0);
    const auto length = static_cast<std::size_t>(std::lround(1 + (share * (longest_bar - 1))));
    return fmt::format("{:<10}{:>7} |{}\n", name, duration_text(value), std::string(length, '#'));
  };
  std::string text = fmt::format("\nlatency, on a logarithmic scale from {} to {}\n",
                                 duration_text(start), duration_text(latency->max));
  for (const Percentile& percentile : latency->table) {
    if (percentile.percent > 50 && !tells(*latency, percentile.percent)) continue;
    text += bar(percentile_name(percentile.percent), percentile.value);
  }
  return text + bar("max", latency->max);
}

std::string throughput(const RunSummary& run) {
  const RunFacts& facts = run.facts;
  std::string text = number_text(facts.achieved_per_second) + "/s";
  if (facts.asked_per_second > 0) {
    text += fmt::format(" of {}/s asked for ({:.1f}%)", number_text(facts.asked_per_second),
                        100 * facts.achieved_per_second / facts.asked_per_second);
  }
  text += fmt::format("; {} in, {} out", byte_rate_text(run.count.bytes_in, facts.duration),
                      byte_rate_text(run.count.bytes_out, facts.duration));
  return text;
}

std::string counts(const RunSummary& run) {
  const Counters& count = run.count;
  std::string text = "\n" + entry("throughput", throughput(run));
  text += entry("operations",
                fmt::format("{} went well; {} in flight at the deadline; {} never sent",
                            count.operations, run.facts.in_flight_at_deadline, count.unsent));
  std::string connections = fmt::format("{} opened", count.connections);
  if (count.connections_failed > 0) {
    connections += fmt::format("; {} attempts failed", count.connections_failed);
  }
  if (count.handshakes_full + count.handshakes_resumed > 0) {
    connections += fmt::format("; TLS handshakes {} full, {} resumed", count.handshakes_full,
                               count.handshakes_resumed);
  }
  text += entry("connections", connections);
  if (run.facts.health.cpu_time > Duration::zero()) {
    const auto operations = static_cast<std::int64_t>(std::max<std::uint64_t>(count.operations, 1));
    text += entry("own CPU",
                  fmt::format("{}, {} an operation", duration_text(run.facts.health.cpu_time),
                              duration_text(run.facts.health.cpu_time / operations)));
  }
  for (const NamedText& note : run.facts.notes) text += entry(note.name, note.text);
  return text;
}

std::string errors(const RunSummary& run) {
  const std::uint64_t total = run.error_count();
  std::string text = entry(
      "errors", total == 0 ? "none"
                           : fmt::format("{} ({:.3g}% of the operations)", total,
                                         100 * static_cast<double>(total) /
                                             static_cast<double>(total + run.count.operations)));
  for (const ErrorLine& line : error_lines(run)) {
    text += entry("", fmt::format("{:>9}  {}", line.count, line.text));
  }
  const std::vector<ErrorLine> details = error_details(run);
  for (const ErrorLine& line : details) {
    text += entry(&line == details.data() ? "with" : "",
                  fmt::format("{:>9}  {}", line.count, line.text));
  }
  return text + entry("integrity",
                      fmt::format("{} lost, {} corrupt", counted(run.count.lost_bytes, "byte"),
                                  counted(run.count.corrupt_streams, "stream")));
}

std::string steps(const RunFacts& facts) {
  if (facts.steps.empty()) return "";
  std::string text = fmt::format("\n{:<10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "steps", "asked",
                                 "achieved", "errors", "p50", "p99", "max");
  for (const Step& step : facts.steps) {
    text += fmt::format(
        "{:<10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}", "", number_text(step.asked_per_second) + "/s",
        number_text(step.achieved_per_second) + "/s", step.errors, duration_text(step.latency_p50),
        duration_text(step.latency_p99), duration_text(step.latency_max));
    if (!step.findings.empty()) {
      text += std::ranges::all_of(step.findings, &Finding::holds) ? "  holds" : "  fails";
    }
    text += "\n";
  }
  return text;
}

std::string judgement(const RunSummary& run) {
  std::string text = "\n";
  for (const std::string& warning : warnings_of(run.facts)) text += entry("WARN", warning);
  for (const Finding& finding : run.facts.assertions) {
    text += entry("assertion", (finding.holds ? "holds   " : "FAILED  ") + finding.text);
  }
  return text + entry("verdict", verdict_text(run));
}

}  // namespace

std::string text_report(const RunSummary& run) {
  return header(run.facts) + "\n" + percentile_table(run) + bars(run) + counts(run) + errors(run) +
         entry("generator", health_text(run.facts)) + steps(run.facts) + judgement(run);
}

}  // namespace penstock::load

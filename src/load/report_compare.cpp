// Each row is a number of every run and how it is written; the ratios follow.
#include "report_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "penstock/load/report_text.h"
#include "penstock/load/units.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

using Value = std::optional<double>;
using ValueOf = std::function<Value(const RunSummary&)>;
using TextOf = std::string (*)(double);

std::string duration_of(double ns) {
  return duration_text(Duration(static_cast<Duration::rep>(ns)));
}
std::string rate_of(double rate) { return number_text(rate) + "/s"; }
std::string byte_rate_of(double rate) { return number_text(rate) + "B/s"; }
std::string count_of(double count) { return fmt::format("{:.0f}", count); }

CompareRow row_of(std::span<const RunSummary> runs, const ValueOf& value_of, TextOf text_of) {
  CompareRow row;
  const Value first = value_of(runs.front());
  for (const RunSummary& run : runs) {
    const Value value = value_of(run);
    CompareCell cell{.value = value ? text_of(*value) : "-", .ratio = ""};
    if (&run != &runs.front() && value && first && *first > 0) {
      cell.ratio = fmt::format("x{:.3g}", *value / *first);
    }
    row.cells.push_back(std::move(cell));
  }
  return row;
}

double number(Duration duration) { return static_cast<double>(duration.count()); }

Value percentile_of(const RunSummary& run, Measure measure, std::size_t index) {
  const Distribution* distribution = run.find(measure);
  if (distribution == nullptr || index >= distribution->table.size()) return std::nullopt;
  return number(distribution->table[index].value);
}

void add_rates(std::vector<CompareRow>& rows, std::span<const RunSummary> runs) {
  const auto add = [&](std::string name, const ValueOf& value_of, TextOf text_of) {
    rows.push_back(row_of(runs, value_of, text_of));
    rows.back().name = std::move(name);
  };
  add(
      "asked",
      [](const RunSummary& run) {
        return run.facts.asked_per_second > 0 ? Value(run.facts.asked_per_second) : std::nullopt;
      },
      rate_of);
  add("achieved", [](const RunSummary& run) { return run.facts.achieved_per_second; }, rate_of);
  add(
      "bytes in",
      [](const RunSummary& run) { return per_second(run.count.bytes_in, run.facts.duration); },
      byte_rate_of);
  add(
      "bytes out",
      [](const RunSummary& run) { return per_second(run.count.bytes_out, run.facts.duration); },
      byte_rate_of);
  add(
      "errors", [](const RunSummary& run) { return static_cast<double>(run.error_count()); },
      count_of);
  add(
      "own CPU an operation",
      [](const RunSummary& run) {
        const Duration used = run.facts.health.cpu_time;
        if (run.count.operations == 0 || used <= Duration::zero()) return Value();
        return Value(number(used) / static_cast<double>(run.count.operations));
      },
      duration_of);
}

void add_distribution(std::vector<CompareRow>& rows, std::span<const RunSummary> runs,
                      Measure measure) {
  const std::string title = measure_title(measure);
  const bool brief = measure != Measure::latency && measure != Measure::service;
  for (std::size_t i = 0; i < std::size(report_percentiles); ++i) {
    const double percent = report_percentiles[i];
    const bool useful = std::ranges::any_of(runs, [&](const RunSummary& run) {
      const Distribution* distribution = run.find(measure);
      return distribution != nullptr && tells(*distribution, percent);
    });
    if (!useful && percent > 50) continue;
    if (brief && percent != 50 && percent != 99) continue;
    rows.push_back(row_of(
        runs, [&](const RunSummary& run) { return percentile_of(run, measure, i); }, duration_of));
    rows.back().name = fmt::format("{} {}", title, percentile_name(percent));
  }
  const auto add = [&](std::string_view name, Duration Distribution::* member) {
    rows.push_back(row_of(
        runs,
        [&](const RunSummary& run) {
          const Distribution* distribution = run.find(measure);
          return distribution == nullptr ? Value() : Value(number(distribution->*member));
        },
        duration_of));
    rows.back().name = fmt::format("{} {}", title, name);
  };
  add("max", &Distribution::max);
  add("mean", &Distribution::mean);
}

std::string table(std::span<const CompareRow> rows, std::span<const std::size_t> shown) {
  std::string text = fmt::format("\n{:<22}", "");
  for (const std::size_t run : shown) text += fmt::format("{:>10}{:>9}", run_name(run), "");
  while (text.ends_with(' ')) text.pop_back();
  text += "\n";
  for (const CompareRow& row : rows) {
    std::string line = fmt::format("{:<22}", row.name);
    for (const std::size_t run : shown) {
      line += fmt::format("{:>10} {:<8}", row.cells[run].value, row.cells[run].ratio);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string run_name(std::size_t index) { return fmt::format("#{}", index + 1); }

std::string run_label(std::span<const RunSummary> runs, std::size_t index) {
  std::string text = run_name(index);
  for (const NamedText& label : runs[index].facts.settings.labels) text += " " + label.text;
  return text;
}

std::string run_title(const RunSummary& run) {
  const RunSettings& settings = run.facts.settings;
  std::string title =
      fmt::format("{} on {}: {}", settings.mode, settings.target, loop_text(settings));
  for (const NamedText& label : settings.labels) {
    title += fmt::format("; {}={}", label.name, label.text);
  }
  return title;
}

std::vector<CompareRow> compare_rows(std::span<const RunSummary> runs) {
  std::vector<CompareRow> rows;
  if (runs.empty()) return rows;
  add_rates(rows, runs);
  for (const MeasureInfo& info : all_measures()) add_distribution(rows, runs, info.measure);
  std::erase_if(rows, [](const CompareRow& row) {
    return std::ranges::all_of(row.cells,
                               [](const CompareCell& cell) { return cell.value == "-"; });
  });
  return rows;
}

std::vector<std::string> compare_warnings(std::span<const RunSummary> runs) {
  std::vector<std::string> warnings;
  const auto differ = [&](auto member) {
    return std::ranges::any_of(runs, [&](const RunSummary& run) {
      return run.facts.settings.*member != runs.front().facts.settings.*member;
    });
  };
  if (differ(&RunSettings::mode)) warnings.emplace_back("the runs are of different modes");
  if (differ(&RunSettings::loop)) {
    warnings.emplace_back(
        "open and closed loops are compared: their latencies are not of the same kind");
  } else if (differ(&RunSettings::rate)) {
    warnings.emplace_back("different rates were asked for");
  }
  if (differ(&RunSettings::host)) warnings.emplace_back("the runs are from different hosts");
  if (differ(&RunSettings::kernel)) warnings.emplace_back("the kernels differ");
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const std::string& warning : warnings_of(runs[i].facts)) {
      warnings.push_back(fmt::format("{} {}", run_name(i), warning));
    }
  }
  return warnings;
}

std::string compare_text(std::span<const RunSummary> runs) {
  std::string text;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    text += entry(run_name(i),
                  fmt::format("{}, {}", run_title(runs[i]), runs[i].facts.settings.started_at));
  }
  const std::vector<CompareRow> rows = compare_rows(runs);
  constexpr std::size_t beside_the_first = 3;
  std::size_t next = 1;
  do {
    std::vector<std::size_t> shown = {0};
    for (; next < runs.size() && shown.size() <= beside_the_first; ++next) shown.push_back(next);
    text += table(rows, shown);
  } while (next < runs.size());
  const std::vector<std::string> warnings = compare_warnings(runs);
  if (!warnings.empty()) text += "\n";
  for (const std::string& warning : warnings) {
    text += entry("WARN", warning);
  }
  return text;
}

}  // namespace penstock::load

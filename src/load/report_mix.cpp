// The columns are those of the steps in a run's own report.
#include "report_mix.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

constexpr std::size_t columns = 100;

std::string percentile_text(const RunSummary& run, double percent) {
  const Distribution* latency = run.find(Measure::latency);
  if (latency == nullptr) return "-";
  const auto found = std::ranges::find(latency->table, percent, &Percentile::percent);
  return found == latency->table.end() ? "-" : duration_text(found->value);
}

}  // namespace

std::string mix_title(std::string_view name) {
  return fmt::format("{:=<{}}\n", fmt::format("== {} ", name), columns);
}

std::string mix_table(std::span<const MixRow> rows) {
  std::size_t width = 4;  // "load"
  for (const MixRow& row : rows) width = std::max(width, row.name.size());
  constexpr const char* form = "{:<{}}{:>7}{:>11}{:>9}{:>8}{:>8}{:>8}  {}\n";
  std::string text = fmt::format(form, "load", width, "start", "operations", "rate", "p50", "p99",
                                 "errors", "verdict");
  for (const MixRow& row : rows) {
    const bool first = row.start == Duration::zero();
    const std::string start = first ? "0s" : duration_text(row.start);
    if (row.run == nullptr) {
      text += fmt::format(form, row.name, width, start, "-", "-", "-", "-", "-", "did not begin");
      continue;
    }
    const RunSummary& run = *row.run;
    text += fmt::format(form, row.name, width, start, run.count.operations,
                        number_text(run.facts.achieved_per_second) + "/s", percentile_text(run, 50),
                        percentile_text(run, 99), run.error_count(), verdict_text(run));
  }
  return text;
}

int worst_exit_code(std::span<const MixRow> rows) noexcept {
  int worst = exit_done;
  for (const MixRow& row : rows) {
    const int code = row.run == nullptr ? exit_done : row.run->facts.exit_code;
    if (code != exit_done && (worst == exit_done || code < worst)) worst = code;
  }
  return worst;
}

}  // namespace penstock::load

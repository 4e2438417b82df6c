// From what came of a run to what its outputs are made of.
#include "outputs.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "penstock/base/cpus.h"
#include "penstock/load/hgrm.h"
#include "penstock/load/report_csv.h"
#include "penstock/load/report_html.h"
#include "penstock/load/report_json.h"
#include "penstock/load/report_text.h"

namespace penstock::load {
namespace {

Result<void> write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return fail_errno(fmt::format("cannot write {}", path), errno);
  return {};
}

RunSettings settings_of(const RunOptions& options) {
  RunSettings settings;
  settings.mode = name_of(options.mode);
  settings.target = options.target_text;
  settings.loop = options.closed_loop ? Loop::closed : Loop::open;
  settings.arrival = options.arrival;
  settings.rate = options.profile_text;
  settings.threads = options.threads;
  settings.connections = options.connections;
  settings.depth = options.depth;
  if (options.mode == Mode::rr) {
    settings.request_size = options.request_size;
    settings.answer_size = options.answer_size;
  }
  settings.tls = options.secure ? "yes" : "";
  settings.seed = options.seed;
  settings.command_line = options.command_line;
  utsname system{};
  if (::uname(&system) == 0) {
    settings.host = system.nodename;
    settings.kernel = system.release;
  }
  settings.cpus = static_cast<std::uint32_t>(allowed_cpus().size());
  settings.version = PENSTOCK_VERSION;
  return settings;
}

RunFacts facts_of(const RunOptions& options, const Outcome& outcome, const Verdict& verdict,
                  std::vector<Interval> intervals) {
  RunFacts facts;
  facts.settings = settings_of(options);
  const double span = std::max(seconds(outcome.measured), 1e-9);
  facts.duration = outcome.measured;
  facts.warmup = options.warmup;
  if (!options.closed_loop) {
    facts.asked_per_second = starts_in(options.profile) / seconds(options.duration);
    facts.health.lag_p99 = outcome.total.histogram(Measure::lag).percentile(99);
  }
  facts.achieved_per_second = static_cast<double>(outcome.total.count.operations) / span;
  for (const Duration time : outcome.cpu_times) {
    facts.health.cpu_time += time;
    facts.health.worker_cpu_shares.push_back(seconds(time) / std::max(seconds(outcome.took), 1e-9));
  }
  facts.health.unfit_reasons = verdict.unfit_reasons;
  facts.intervals = std::move(intervals);
  facts.assertions = verdict.findings;
  facts.interrupted = outcome.interrupted;
  facts.exit_code = verdict.exit_code;
  return facts;
}

Result<RunSummary> read_run(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return fail_errno(fmt::format("cannot read {}", path), errno);
  auto run = read_json_report(text);
  if (!run) return fail(fmt::format("{}: {}", path, run.error().message));
  return run;
}

}  // namespace

Result<void> write_outputs(const RunOptions& options, Outcome outcome, const Verdict& verdict,
                           std::vector<Interval> intervals) {
  const OutputFiles& files = options.files;
  if (auto written = write_file(files.hgrm, hgrm_text(outcome.total.histogram(Measure::latency)));
      !written) {
    return written;
  }
  RunFacts facts = facts_of(options, outcome, verdict, std::move(intervals));
  const RunSummary run =
      summarize(RunResult{.facts = std::move(facts), .total = std::move(outcome.total)});
  for (const auto& [path, text] : {std::pair{&files.json, json_report(run)},
                                   {&files.csv, csv_report(run)},
                                   {&files.html, html_report(std::span(&run, 1))}}) {
    if (auto written = write_file(*path, text); !written) return written;
  }
  return {};
}

Result<void> compare_runs(const std::vector<std::string>& files, const std::string& html_file) {
  std::vector<RunSummary> runs;
  for (const std::string& path : files) {
    auto run = read_run(path);
    if (!run) return std::unexpected(run.error());
    runs.push_back(std::move(*run));
  }
  fmt::print("{}", runs.size() == 1 ? text_report(runs.front()) : compare_text(runs));
  return write_file(html_file, html_report(runs));
}

}  // namespace penstock::load

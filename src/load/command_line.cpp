// Commands of the load tool, by CLI11, and the verdict on a run.
#include "penstock/load/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "commands.h"
#include "coordinator.h"
#include "judge.h"
#include "manual.h"
#include "metrics.h"
#include "outputs.h"
#include "penstock/load/report_text.h"
#include "saying.h"
#include "search.h"

namespace penstock::load {
namespace {

int misused(const std::string& what) {
  fmt::print(stderr, "penstock-load: {}\nRun with --help for more information.\n", what);
  return exit_usage;
}

/// Of the terminal that stdout is; nullopt when it is none, or does not say.
std::optional<std::size_t> terminal_columns() noexcept {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
      size.ws_col == 0) {
    return std::nullopt;
  }
  return size.ws_col;
}

/// How a run is told of while it lasts.
class Teller {
 public:
  explicit Teller(bool live) : live_(live) {}
  void tell(const LiveState& state) {
    const auto columns = live_ ? terminal_columns() : std::nullopt;
    say(columns ? live_view(state, *columns, std::exchange(redraw_, Redraw::again))
                : live_line(state));
  }
  /// An attempt of a search has ended.
  void tell(const Step& step) {
    say(attempt_line(step));
    redraw_ = Redraw::first;
  }

 private:
  bool live_;
  Redraw redraw_ = Redraw::first;
};

int run(const RunCommand& command, const std::string& command_line) {
  auto options = command.options();
  if (!options) return misused(options.error().message);
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  options->command_line = command_line;
  Interruptions interruptions(*signals);
  Teller teller(options->live);
  std::optional<MetricsServer> metrics;
  if (options->metrics_at) {
    if (auto started = metrics.emplace().start(*options->metrics_at); !started)
      return failed(started.error());
    fmt::print(stderr, "metrics on http://{}/metrics\n", metrics->at().to_string());
  }
  const auto progress = [&teller, &metrics](const LiveState& state) {
    if (metrics && state.total != nullptr) metrics->publish(*state.total);
    teller.tell(state);
  };
  const auto attempt = [&teller](const Step& step) { teller.tell(step); };
  auto run = options->search ? search_rate(*options, interruptions, progress, attempt)
                             : run_load(*options, interruptions, progress);
  if (!run) return failed(run.error());
  if (!options->search) judge(*run, options->conditions);
  const RunSummary summary = summarize(*run);
  fmt::print("\n{}", text_report(summary));
  const Histogram& latency = run->total.histogram(Measure::latency);
  if (auto written = write_outputs(options->files, summary, latency); !written) {
    return failed(written.error());
  }
  return summary.facts.exit_code;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Commands commands;
  try {
    commands.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return commands.app.exit(error) == 0 ? exit_done : exit_usage;
  }
  if (commands.serve_app->parsed()) return commands.serve.run();
  if (commands.selftest_app->parsed()) return commands.selftest.run();
  if (commands.calibrate_app->parsed()) return commands.calibrate.run();
  if (commands.report_app->parsed()) {
    const auto compared = compare_runs(commands.reports, commands.page);
    return compared ? exit_done : failed(compared.error());
  }
  if (commands.manual_app->parsed()) {
    fmt::print("{}", manual_page(commands.app));
    return exit_done;
  }
  if (!commands.run_app->parsed()) {
    return misused("a command is missing: run, serve, report, selftest or calibrate");
  }
  const std::string command_line =
      fmt::format("{}", fmt::join(std::span(argv, static_cast<std::size_t>(argc)), " "));
  if (!commands.scenario.asked()) return run(commands.run, command_line);
  if (auto fits = commands.scenario.check_use(); !fits) return misused(fits.error().message);
  return commands.scenario.run(command_line);
}

}  // namespace penstock::load

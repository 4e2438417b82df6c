// Commands of the load tool, by CLI11, and the verdict on a run.
#include "penstock/load/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "calibrate_command.h"
#include "coordinator.h"
#include "judge.h"
#include "outputs.h"
#include "penstock/load/report_text.h"
#include "run_command.h"
#include "scenario_command.h"
#include "search.h"
#include "selftest_command.h"
#include "serve_command.h"

namespace penstock::load {
namespace {

constexpr const char* about =
    "penstock-load: a load tool for TCP, TLS and HTTP whose numbers can be believed.\n"
    "Latency counts from when an operation was meant to begin; every answer is checked.";

constexpr const char* run_examples =
    "Examples:\n"
    "  penstock-load run 127.0.0.1:7000 --rate 20k -c 100 -d 30s      an echo server, open loop\n"
    "  penstock-load run http://127.0.0.1:8080/ --mode http --closed   HTTP/1.1, closed loop\n"
    "  penstock-load run 127.0.0.1:8443 --mode tls --rate 500 --close rst   TLS handshakes\n"
    "  penstock-load run 127.0.0.1:7000 --mode conn --rate 2k --source 127.0.0.0/24\n"
    "  penstock-load run 127.0.0.1:7000 --rate max --slo 'p99<5ms,err<0.1%'   the highest rate\n"
    "  penstock-load run 127.0.0.1:7000 --mode bulk --direction both -c 4 -d 30s\n"
    "  penstock-load run 127.0.0.1:7000 --mode hold -c 10000 --watch-pid 4711\n"
    "  penstock-load run 127.0.0.1:7000 --mode chaos --chaos slowloris,garbage -c 100\n"
    "  penstock-load run 127.0.0.1:7000 --rate 5k --assert 'p99<2ms,err==0'\n"
    "  penstock-load run 127.0.0.1:7000 --mode mix --scenario conf/load/mix.toml   several at "
    "once\n"
    "Exit codes: 0 done, 1 wrong bytes or nothing went well, 3 an assertion failed, 4 the\n"
    "generator was too busy to judge, 64 usage.";

int misused(const std::string& what) {
  fmt::print(stderr, "penstock-load: {}\nRun with --help for more information.\n", what);
  return exit_usage;
}

int failed(const Error& error) {
  fmt::print(stderr, "penstock-load: {}\n", error.message);
  return exit_wrong;
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
    fmt::print("{}", columns ? live_view(state, *columns, std::exchange(redraw_, Redraw::again))
                             : live_line(state));
    std::fflush(stdout);
  }
  /// An attempt of a search has ended.
  void tell(const Step& step) {
    fmt::print("{}", attempt_line(step));
    std::fflush(stdout);
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
  const auto progress = [&teller](const LiveState& state) { teller.tell(state); };
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
  CLI::App app(about, "penstock-load");
  app.set_version_flag("--version", "penstock-load " PENSTOCK_VERSION);
  RunCommand run_command;
  CLI::App* run_app = app.add_subcommand("run", "put a load on a target");
  run_command.add_to(*run_app);
  ScenarioCommand scenario_command;
  scenario_command.add_to(*run_app);
  run_app->footer(run_examples);
  ServeCommand serve_command;
  CLI::App* serve_app = app.add_subcommand("serve", "be a server to put a load on");
  serve_command.add_to(*serve_app);
  SelftestCommand selftest_command;
  CLI::App* selftest_app = app.add_subcommand("selftest", "check this tool against what is known");
  selftest_command.add_to(*selftest_app);
  CalibrateCommand calibrate_command;
  CLI::App* calibrate_app =
      app.add_subcommand("calibrate", "measure what this tool can do on this machine");
  calibrate_command.add_to(*calibrate_app);
  std::vector<std::string> reports;
  std::string page;
  CLI::App* report_app = app.add_subcommand("report", "show or compare runs");
  report_app->add_option("files", reports, "what --json has written")
      ->option_text("FILE...")
      ->required();
  report_app->add_option("--html", page, "write a page with charts to a file")->option_text("FILE");
  report_app->footer(
      "Examples:\n  penstock-load report a.json\n  penstock-load report a.json b.json --html "
      "c.html");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  if (serve_app->parsed()) return serve_command.run();
  if (selftest_app->parsed()) return selftest_command.run();
  if (calibrate_app->parsed()) return calibrate_command.run();
  if (report_app->parsed()) {
    const auto compared = compare_runs(reports, page);
    return compared ? exit_done : failed(compared.error());
  }
  if (!run_app->parsed()) {
    return misused("a command is missing: run, serve, report, selftest or calibrate");
  }
  const std::string command_line =
      fmt::format("{}", fmt::join(std::span(argv, static_cast<std::size_t>(argc)), " "));
  if (!scenario_command.asked()) return run(run_command, command_line);
  if (auto fits = scenario_command.check_use(); !fits) return misused(fits.error().message);
  return scenario_command.run(command_line);
}

}  // namespace penstock::load

// Commands of the load tool, by CLI11, and the verdict on a run.
#include "penstock/load/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "coordinator.h"
#include "penstock/load/units.h"
#include "run_command.h"

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
    "  penstock-load run 127.0.0.1:7000 --rate 5k --assert 'p99<2ms,err==0'\n"
    "Exit codes: 0 done, 1 wrong bytes or nothing went well, 3 an assertion failed, 4 the\n"
    "generator was too busy to judge, 64 usage.";

int misused(const std::string& what) {
  fmt::print(stderr, "penstock-load: {}\nRun with --help for more information.\n", what);
  return exit_usage;
}

int run(const RunCommand& command) {
  auto options = command.options();
  if (!options) return misused(options.error().message);
  auto signals = Signals::take();
  if (!signals) {
    fmt::print(stderr, "penstock-load: {}\n", signals.error().message);
    return exit_wrong;
  }
  const auto on_progress = [](const Progress& progress) {
    const Recorder& seen = *progress.interval;
    const Histogram& latency = seen.histogram(Measure::latency);
    fmt::print("{:>6}  {:>8} ops/s  p50 {:>7}  p99 {:>7}  max {:>7}  {} errors\n",
               duration_text(progress.offset + progress.length),
               number_text(static_cast<double>(seen.count.operations) / seconds(progress.length)),
               duration_text(latency.percentile(50)), duration_text(latency.percentile(99)),
               duration_text(latency.max()), seen.errors());
    std::fflush(stdout);
  };
  auto outcome = run_load(*options, *signals, on_progress);
  if (!outcome) {
    fmt::print(stderr, "penstock-load: {}\n", outcome.error().message);
    return exit_wrong;
  }
  const Recorder& total = outcome->total;
  for (const MeasureInfo& info : all_measures()) {
    const Histogram& seen = total.histogram(info.measure);
    if (seen.count() == 0) continue;
    fmt::print("{:<10} p50 {:>8} p90 {:>8} p99 {:>8} p99.9 {:>8} max {:>8} mean {:>8} n {}\n",
               info.name, duration_text(seen.percentile(50)), duration_text(seen.percentile(90)),
               duration_text(seen.percentile(99)), duration_text(seen.percentile(99.9)),
               duration_text(seen.max()), duration_text(seen.mean()), seen.count());
  }
  fmt::print("{} operations in {}, {} a second; {} connections; cpu", total.count.operations,
             duration_text(outcome->measured),
             number_text(static_cast<double>(total.count.operations) / seconds(outcome->measured)),
             total.count.connections);
  for (const Duration time : outcome->cpu_times) {
    fmt::print(" {} ({} an operation)", duration_text(time),
               duration_text(time / std::max<std::int64_t>(
                                        1, static_cast<std::int64_t>(total.count.operations))));
  }
  fmt::print("\n");
  for (const ErrorInfo& info : all_errors()) {
    if (total.errors(info.error) > 0) fmt::print("{}: {}\n", info.text, total.errors(info.error));
  }
  return total.count.operations > 0 && total.count.corrupt_streams == 0 ? exit_done : exit_wrong;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(about, "penstock-load");
  app.set_version_flag("--version", "penstock-load " PENSTOCK_VERSION);
  RunCommand run_command;
  CLI::App* run_app = app.add_subcommand("run", "put a load on a target");
  run_command.add_to(*run_app);
  run_app->footer(run_examples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  if (!run_app->parsed()) return misused("a command is missing: run");
  return run(run_command);
}

}  // namespace penstock::load

// Commands and options, by CLI11. Its own exit codes are not the contract's: whatever it finds
// wrong is usage, 64.
#include "penstock/app/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "demo.h"
#include "penstock/base/log.h"
#include "penstock/base/signals.h"
#include "penstock/config/config.h"
#include "supervisor.h"
#include "test_options.h"

namespace penstock::app {
namespace {

constexpr const char* about =
    "penstock: a TCP and TLS load balancer for Linux, built on io_uring.\n"
    "It chooses a backend by consistent hashing and leaves out those that fail health checks.";

constexpr const char* examples =
    "Examples:\n"
    "  penstock demo                           a fleet, HTTP and HTTPS on loopback, nothing to set "
    "up\n"
    "  penstock check --config penstock.toml   print `valid`, or every error with its place\n"
    "  penstock run --config penstock.toml     serve until SIGTERM or Ctrl-C\n"
    "\n"
    "Exit codes: 0 done, 1 refused or failed, 64 usage, 69 io_uring unavailable.\n"
    "`penstock COMMAND --help` tells more.";

constexpr const char* run_examples =
    "Examples:\n"
    "  penstock run --config /etc/penstock.toml\n"
    "  kill -TERM PID   refuse new connections, let sessions end (up to shutdown_timeout), exit 0\n"
    "  kill -TERM PID   a second time: cut what is left, exit 1\n"
    "  kill -USR2 PID   print the counters on stdout, one JSON line";

constexpr const char* check_examples =
    "Examples:\n"
    "  penstock check --config /etc/penstock.toml && systemctl restart penstock\n"
    "Errors go to stderr, one a line: FILE:LINE:COLUMN: MESSAGE. Exit 0 when valid, 1 when not.";

constexpr const char* demo_examples =
    "Examples:\n"
    "  penstock demo                     HTTP on 8080 and HTTPS on 8443, or the next free ports\n"
    "  penstock demo --ports 9080,9443   exactly these\n"
    "  penstock demo --ports 0,0         whatever the kernel gives";

/// Every error on its own line, on stderr.
std::expected<config::Config, int> load(const std::string& path) {
  auto config = config::load(path);
  if (config) return std::move(*config);
  for (const config::Diagnostic& diagnostic : config.error()) {
    fmt::print(stderr, "{}\n", diagnostic.text());
  }
  return std::unexpected(static_cast<int>(exit_failed));
}

int check(const std::string& path) {
  if (const auto config = load(path); !config) return config.error();
  fmt::print("valid\n");
  return exit_done;
}

int run(const std::string& path, const TestOptions& test_options) {
  if (const auto applied = test_options.apply(); !applied) {
    log::error("{}", applied.error().message);
    return exit_failed;
  }
  auto config = load(path);
  if (!config) return config.error();
  auto signals = Signals::take();
  if (!signals) {
    log::error("{}", signals.error().message);
    return exit_failed;
  }
  Supervisor supervisor(*signals, std::move(*config), {.counters_at_end = true});
  if (const auto started = supervisor.start(); !started) {
    log::error("{}", started.error().message);
    return started.error().exit_code;
  }
  test_options.on_ready();
  return supervisor.run();
}

int demo(const std::vector<std::uint16_t>& ports) {
  DemoOptions options;
  if (!ports.empty()) options.ports = {.http = ports[0], .https = ports[1]};
  return run_demo(options);
}

int misused(const char* what) {
  fmt::print(stderr, "{}\nRun with --help for more information.\n", what);
  return exit_usage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(about, "penstock");
  app.footer(examples);
  app.set_version_flag("--version", version_text());

  std::string path;
  CLI::App* run_command = app.add_subcommand("run", "serve in the foreground");
  run_command->add_option("--config", path, "the configuration file (TOML), required")
      ->option_text("FILE");
  run_command->footer(run_examples);
  TestOptions test_options;
  test_options.add_to(*run_command);
  CLI::App* check_command = app.add_subcommand("check", "check a configuration, do nothing else");
  check_command->add_option("--config", path, "the configuration file (TOML), required")
      ->option_text("FILE");
  check_command->footer(check_examples);
  std::vector<std::uint16_t> ports;
  CLI::App* demo_command = app.add_subcommand("demo", "serve an embedded fleet on loopback");
  demo_command->add_option("--ports", ports, "ports for HTTP and HTTPS")
      ->delimiter(',')
      ->expected(2)
      ->option_text("HTTP,HTTPS");
  demo_command->footer(demo_examples);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // exit() prints help and version on stdout, errors on stderr.
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  // Asked for here and not by CLI11, which would complain of what is missing before it complains of
  // what is misspelt.
  if (demo_command->parsed()) return demo(ports);
  if (!run_command->parsed() && !check_command->parsed()) {
    return misused("a command is missing: run, check or demo");
  }
  if (path.empty()) return misused("--config FILE is missing");
  return run_command->parsed() ? run(path, test_options) : check(path);
}

}  // namespace penstock::app

// The cases, one after another.
#include "calibrate_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "calibrate.h"
#include "manual.h"
#include "option_values.h"
#include "penstock/base/cpus.h"
#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "saying.h"

namespace penstock::load {
namespace {

constexpr const char* meaning =
    "\nWhat a run shows through a proxy is the proxy's only as far as it is worse than this:\n"
    "a rate near the ceiling is the tool's own, latencies near those at half of it likewise.\n";
constexpr const char* exit_codes =
    "\nExit codes: 0 done, 1 there were errors, or Ctrl-C came before, 64 usage.";

struct Cpus {
  int server = 0;
  int client = 0;
};

/// The first two that there are, or the same one twice.
Result<Cpus> choose_cpus(const std::vector<int>& asked) {
  const std::vector<int> allowed = allowed_cpus();
  if (allowed.empty()) return fail("the kernel does not tell which CPUs there are");
  if (asked.empty()) return Cpus{.server = allowed[0], .client = allowed[allowed.size() > 1]};
  for (const int cpu : asked) {
    if (!std::ranges::binary_search(allowed, cpu)) {
      return fail(fmt::format("--cpus: CPU {} is none of those that this process may have", cpu));
    }
  }
  return Cpus{.server = asked[0], .client = asked[1]};
}

}  // namespace

void CalibrateCommand::add_to(CLI::App& command) {
  std::vector<std::string> names;
  std::string text = "The cases:\n";
  for (const CalibrationCase& one : calibration_cases()) {
    names.emplace_back(one.name);
    text += fmt::format("  {:<8}{}\n", one.name, one.text);
  }
  command.add_option("--only", only_, "these cases, by name (all)")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->option_text("LIST");
  command.add_option("--cpus", cpus_, "where the server runs and where the client (the first two)")
      ->delimiter(',')
      ->expected(2)
      ->option_text("SERVER,CLIENT");
  command.add_option("-d,--duration", duration_, "of each measurement (2s)")->option_text("TIME");
  command.footer(text + meaning + cli::examples_text(calibrate_examples()) + exit_codes);
}

int CalibrateCommand::run() const {
  Duration duration{};
  if (auto read = read_positive_duration("--duration", duration_, duration); !read) {
    return failed(read.error(), exit_usage);
  }
  const auto cpus = choose_cpus(cpus_);
  if (!cpus) return failed(cpus.error(), exit_usage);
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  const std::string where =
      cpus->server == cpus->client
          ? fmt::format("server and client share CPU {}", cpus->server)
          : fmt::format("server on CPU {}, client on CPU {}", cpus->server, cpus->client);
  say(fmt::format("penstock-load " PENSTOCK_VERSION " calibrate: {} a measurement; {}; {}\n",
                  duration_text(duration), where, load_average_text()));
  say(calibration_head());
  Bench bench(*signals, duration);
  for (const CalibrationCase& one : calibration_cases()) {
    if (!only_.empty() && std::ranges::find(only_, one.name) == only_.end()) continue;
    const auto found = calibrate(bench, one, cpus->server, cpus->client);
    if (bench.interrupted()) {
      say("interrupted\n");
      return exit_wrong;
    }
    if (!found) return failed(found.error());
    say(text_of(*found));
  }
  return exit_done;
}

}  // namespace penstock::load

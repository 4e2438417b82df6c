// Tries, tables and the verdict.
#include "selftest_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "manual.h"
#include "option_values.h"
#include "penstock/base/cpus.h"
#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "report_parts.h"
#include "saying.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr Duration shortest = 1s;
constexpr Duration longest = 10min;

constexpr const char* beside_examples =
    "\nEvery figure is printed. Exit codes: 0 all hold or say why they are skipped, 1 one does "
    "not\n"
    "or Ctrl-C came before, 64 usage.";

enum class Outcome : std::uint8_t { holds, fails, skipped, interrupted };

/// What became of a check, in a line.
struct Row {
  std::size_t number = 0;  ///< from 1
  Outcome outcome = Outcome::fails;
  int tries = 1;
  std::size_t parts_skipped = 0;  ///< of a check that was not skipped as a whole
};

std::string tries_text(const Row& row) {
  switch (row.outcome) {
    case Outcome::holds:
      return row.tries == 1 ? "holds" : fmt::format("holds, at try {}", row.tries);
    case Outcome::fails:
      return row.tries == 1 ? "FAILS" : fmt::format("FAILS, {} times", row.tries);
    case Outcome::skipped:
      return "skipped";
    case Outcome::interrupted:
      break;
  }
  return "interrupted";
}

std::string outcome_text(const Row& row) {
  if (row.parts_skipped == 0) return tries_text(row);
  return fmt::format("{}; {} skipped", tries_text(row), counted(row.parts_skipped, "part"));
}

Outcome outcome_of(const Findings& findings) noexcept {
  if (findings.interrupted) return Outcome::interrupted;
  if (findings.all_skipped()) return Outcome::skipped;
  return findings.hold() ? Outcome::holds : Outcome::fails;
}

Findings try_check(Bench& bench, const CheckInfo& check) {
  Findings findings;
  const auto done = check.check(bench, findings);
  findings.interrupted = bench.interrupted();
  if (!done && !findings.interrupted) findings.problem = done.error().message;
  return findings;
}

class Selftest {
 public:
  Selftest(Signals& signals, Duration duration, int tries)
      : bench_(signals, duration), tries_(tries) {}

  /// False once a signal has come.
  bool check(std::size_t number) {
    const CheckInfo& check = all_checks[number - 1];
    say(fmt::format("\ncheck {}, {}: {}\n", number, check.name, check.text));
    Row row{.number = number};
    for (;; ++row.tries) {
      const Findings findings = try_check(bench_, check);
      row.outcome = outcome_of(findings);
      row.parts_skipped = row.outcome == Outcome::skipped ? 0 : findings.skipped.size();
      say(text_of(findings));
      if (row.outcome != Outcome::fails || row.tries == tries_) break;
      say(fmt::format("  try {} of {} fails, once more\n", row.tries, tries_));
    }
    say(fmt::format("  check {}: {}\n", number, outcome_text(row)));
    rows_.push_back(row);
    return row.outcome != Outcome::interrupted;
  }

  /// The rows once more, and the exit code. `asked`: how many checks there were to be.
  int conclude(std::size_t asked) const {
    say("\n");
    for (const Row& row : rows_) {
      say(fmt::format("{:>7}  {:<22}{}\n", row.number, all_checks[row.number - 1].name,
                      outcome_text(row)));
    }
    const auto count = [this](Outcome outcome) {
      return static_cast<std::size_t>(std::ranges::count(rows_, outcome, &Row::outcome));
    };
    const std::size_t good = count(Outcome::holds);
    const std::size_t skipped = count(Outcome::skipped);
    const bool whole = good + skipped == asked;
    const bool interrupted = count(Outcome::interrupted) > 0;
    say(fmt::format("verdict  {}: {} of {} hold, {} skipped\n",
                    whole ? "OK" : (interrupted ? "INTERRUPTED" : "FAILED"), good, asked, skipped));
    return whole ? exit_done : exit_wrong;
  }

 private:
  Bench bench_;
  int tries_;
  std::vector<Row> rows_;
};

}  // namespace

void SelftestCommand::add_to(CLI::App& command) {
  command.add_option("--only", only_, "these checks, by number (all)")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, all_checks.size()))
      ->option_text("LIST");
  command.add_option("--tries", tries_, "of a check that fails, until it holds (3)")
      ->check(CLI::Range(1, 100))
      ->option_text("N");
  command.add_option("-d,--duration", duration_, "of each measurement, from 1s to 10m (5s)")
      ->option_text("TIME");
  std::string text = "The checks:\n";
  for (std::size_t i = 0; i < all_checks.size(); ++i) {
    text += fmt::format("  {}  {}: {}\n", i + 1, all_checks[i].name, all_checks[i].text);
  }
  command.footer(text + cli::examples_text(selftest_examples()) + beside_examples);
}

Result<Duration> SelftestCommand::duration() const {
  Duration duration{};
  if (auto read = read_duration("--duration", duration_, duration); !read) {
    return std::unexpected(read.error());
  }
  if (duration >= shortest && duration <= longest) return duration;
  return fail(fmt::format("--duration {}: expected 1s to 10m", duration_));
}

int SelftestCommand::run() const {
  const auto duration = this->duration();
  if (!duration) return failed(duration.error(), exit_usage);
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  std::vector<std::size_t> numbers = only_;
  if (numbers.empty()) {
    for (std::size_t i = 1; i <= all_checks.size(); ++i) numbers.push_back(i);
  }
  std::ranges::sort(numbers);
  numbers.erase(std::ranges::unique(numbers).begin(), numbers.end());
  say(fmt::format("penstock-load " PENSTOCK_VERSION
                  " selftest: {} a measurement; client and server share {}; {}\n",
                  duration_text(*duration), counted(allowed_cpus().size(), "CPU"),
                  load_average_text()));
  Selftest selftest(*signals, *duration, tries_);
  for (const std::size_t number : numbers) {
    if (!selftest.check(number)) break;
  }
  return selftest.conclude(numbers.size());
}

}  // namespace penstock::load

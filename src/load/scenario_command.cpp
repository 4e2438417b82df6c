// Lines while the loads last, each load's report, then all of them in a table and their files.
#include "scenario_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <vector>

#include "mix.h"
#include "outputs.h"
#include "penstock/load/command_line.h"
#include "penstock/load/report_text.h"
#include "report_mix.h"
#include "saying.h"

namespace penstock::load {
namespace {

/// Options of `run` that are about all loads.
constexpr std::string_view allowed[] = {"target", "--scenario", "--mode", "--label",  "--json",
                                        "--csv",  "--html",     "--hgrm", "--no-live"};

int misread(const config::Diagnostics& errors) {
  for (const config::Diagnostic& error : errors) fmt::print(stderr, "{}\n", error.text());
  return exit_usage;
}

/// Lines of several threads, whole.
class Teller {
 public:
  explicit Teller(const Scenario& scenario) {
    for (const ScenarioLoad& load : scenario) width_ = std::max(width_, load.name.size());
  }
  void tell(const ScenarioLoad& load, const LiveState& state) {
    const std::lock_guard lock(mutex_);
    say(fmt::format("{:<{}}  {}", load.name, width_, live_line(state)));
  }

 private:
  std::mutex mutex_;
  std::size_t width_ = 0;
};

}  // namespace

std::string path_of_load(const std::string& path, std::string_view name) {
  if (path.empty()) return {};
  const std::filesystem::path whole(path);
  return whole.parent_path() /
         fmt::format("{}-{}{}", whole.stem().string(), name, whole.extension().string());
}

void ScenarioCommand::add_to(CLI::App& command) {
  command_ = &command;
  command
      .add_option("--scenario", file_,
                  "mode mix: several loads at once, from a TOML file (conf/load/mix.toml)")
      ->option_text("FILE");
}

bool ScenarioCommand::asked() const { return !file_.empty() || text_of("--mode") == "mix"; }

Result<void> ScenarioCommand::check_use() const {
  if (file_.empty()) return fail("--mode mix needs --scenario FILE, which says what the loads are");
  if (const std::string mode = text_of("--mode"); !mode.empty() && mode != "mix") {
    return fail(
        fmt::format("--mode {}: with --scenario the mode is mix, and the modes of the "
                    "loads are in the file",
                    mode));
  }
  if (command_->count("target") > 1) {
    return fail("with --scenario there is one target for all loads; others are in the file");
  }
  for (const CLI::Option* option : command_->get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::ranges::find(allowed, name) != std::end(allowed)) continue;
    return fail(
        fmt::format("{} means nothing here: with --scenario it is for a load to say, in "
                    "the file",
                    name));
  }
  return {};
}

int ScenarioCommand::run(const std::string& command_line) const {
  const auto document = config::load_document(file_, "the scenario");
  if (!document) return misread(document.error());
  const ForAllLoads for_all{.target = text_of("target"),
                            .labels = command_->get_option("--label")->results()};
  auto scenario = read_scenario(*document, for_all);
  if (!scenario) return misread(scenario.error());
  for (ScenarioLoad& load : *scenario) load.options.command_line = command_line;
  return run_loads(*scenario);
}

int ScenarioCommand::run_loads(const Scenario& scenario) const {
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  Interruptions interruptions(*signals);
  Teller teller(scenario);
  const auto outcomes = run_mix(
      scenario, interruptions,
      [&teller](const ScenarioLoad& load, const LiveState& state) { teller.tell(load, state); });
  if (!outcomes) return failed(outcomes.error());
  std::vector<RunSummary> summaries;
  summaries.reserve(scenario.size());  // the rows point to them
  std::vector<MixRow> rows;
  int exit_code = exit_done;
  for (std::size_t i = 0; i < scenario.size(); ++i) {
    const ScenarioLoad& load = scenario[i];
    const LoadOutcome& outcome = (*outcomes)[i];
    MixRow& row = rows.emplace_back(MixRow{.name = load.name, .start = load.start});
    if (outcome.error) exit_code = failed(*outcome.error);
    if (!outcome.run) continue;
    row.run = &summaries.emplace_back(summarize(*outcome.run));
    fmt::print("\n{}{}", mix_title(load.name), text_report(*row.run));
    if (auto written = write(load, *outcome.run, *row.run); !written) {
      exit_code = failed(written.error());
    }
  }
  fmt::print("\n{}{}", mix_title("all loads"), mix_table(rows));
  if (const std::string page = text_of("--html"); !page.empty() && !summaries.empty()) {
    if (auto written = write_page(page, summaries); !written) exit_code = failed(written.error());
  }
  return exit_code == exit_done ? worst_exit_code(rows) : exit_code;
}

Result<void> ScenarioCommand::write(const ScenarioLoad& load, const RunResult& run,
                                    const RunSummary& summary) const {
  const OutputFiles files{.json = path_of_load(text_of("--json"), load.name),
                          .csv = path_of_load(text_of("--csv"), load.name),
                          .hgrm = path_of_load(text_of("--hgrm"), load.name)};
  return write_outputs(files, summary, run.total.histogram(Measure::latency));
}

std::string ScenarioCommand::text_of(const char* option) const {
  const CLI::Option* given = command_->get_option(option);
  return given->count() == 0 ? std::string() : given->results().front();
}

}  // namespace penstock::load

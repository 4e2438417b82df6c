// `penstock-load run --scenario FILE`: several loads at once, and what is told of them.
#pragma once

#include <string>
#include <string_view>

#include "scenario.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::load {

class ScenarioCommand {
 public:
  /// Adds its option to the command `run`, which has the others.
  void add_to(CLI::App& command);
  /// Not a single load was asked for.
  [[nodiscard]] bool asked() const;
  /// Error: a sentence about what does not fit a scenario.
  [[nodiscard]] Result<void> check_use() const;
  /// Runs it to its end; returns the exit code. `command_line`: for the outputs.
  [[nodiscard]] int run(const std::string& command_line) const;

 private:
  [[nodiscard]] std::string text_of(const char* option) const;
  [[nodiscard]] int run_loads(const Scenario& scenario) const;
  [[nodiscard]] Result<void> write(const ScenarioLoad& load, const RunResult& run,
                                   const RunSummary& summary) const;

  const CLI::App* command_ = nullptr;
  std::string file_;
};

/// The file of a load: "out-api.json" for "out.json" and "api"; empty for an empty path.
[[nodiscard]] std::string path_of_load(const std::string& path, std::string_view name);

}  // namespace penstock::load

// Scenario: several loads at once, as a TOML file has them. Each of its [[load]] tables is read as
// if its keys were options of `penstock-load run`, with the same rules and the same sentences.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "penstock/config/document.h"
#include "run_options.h"

namespace penstock::load {

struct ScenarioLoad {
  std::string name;    ///< letters, digits, "_" and "-"; also the text of its label "load"
  Duration start{};    ///< from the beginning of the first
  RunOptions options;  ///< without files to write
};

/// In the file's order; at least one of them starts at zero.
using Scenario = std::vector<ScenarioLoad>;

/// What the command line says for all loads.
struct ForAllLoads {
  std::string target{};               ///< of those that name none; empty: as the file says
  std::vector<std::string> labels{};  ///< NAME=TEXT
};

/// Error: all that is wrong, each at its place.
[[nodiscard]] std::expected<Scenario, config::Diagnostics> read_scenario(
    const config::Document& document, const ForAllLoads& for_all);

}  // namespace penstock::load

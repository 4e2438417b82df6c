// A load's table as options of `penstock-load run`: keys are their long names. What a scenario says
// of a load beyond them is scenario.cpp's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/config/document.h"
#include "run_options.h"

namespace penstock::load {

/// A load's own keys that are no options of `run`.
inline constexpr std::string_view scenario_keys[] = {"name", "start", "weight"};

/// What the load's own table leaves open.
struct GivenOptions {
  std::string target;
  std::vector<std::string> arguments;  ///< "--rate=500"
};

/// nullopt after what is wrong has been added to `errors`, each at its place.
[[nodiscard]] std::optional<RunOptions> read_load_options(const config::Document& document,
                                                          const config::Node& table,
                                                          GivenOptions given,
                                                          config::Diagnostics& errors);

/// "unknown key "conections"; did you mean "connections"?"
[[nodiscard]] std::string unknown_key(std::string_view key,
                                      std::span<const std::string_view> known);

/// "rate must be a text, not a list"
[[nodiscard]] std::string mismatch(const config::Node& node, std::string_view expected);

}  // namespace penstock::load

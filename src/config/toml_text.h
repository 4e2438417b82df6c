// From a file's name to toml++'s tables, or to an error with its place.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reader.h"

namespace penstock::config {

/// The whole of a file; nullopt after it has been reported why not. `what` it is, for that:
/// "the configuration".
[[nodiscard]] std::optional<std::string> read_file(const std::string& path, std::string_view what,
                                                   Source& source);

/// nullopt after the first mistake of syntax has been reported.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Source& source);

}  // namespace penstock::config

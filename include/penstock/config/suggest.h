// "Did you mean": the known name that is closest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace penstock::config {

/// Insertions, deletions, substitutions and swaps of neighbours that make `a` into `b`.
/// Source: optimal string alignment distance, Damerau 1964.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the least distance to `name`, if that is at most a third of the longer one's
/// length (at least 1); otherwise the first that begins with `name` or that `name` begins with
/// ("warning" for "warn").
[[nodiscard]] std::optional<std::string_view> closest(std::string_view name,
                                                      std::span<const std::string_view> candidates);

/// "; did you mean "app"?" or, when nothing is close, "; <label>: a, b, c". Empty without
/// candidates.
[[nodiscard]] std::string hint(std::string_view name, std::span<const std::string_view> candidates,
                               std::string_view label);

}  // namespace penstock::config

// Small questions about text that several readers of configuration values ask.
#pragma once

#include <string>
#include <string_view>

namespace penstock::config {

/// The text in double quotes for a message: control characters escaped, cut when long.
[[nodiscard]] std::string quote(std::string_view text);

/// The text with its control characters escaped: it takes one line and does nothing to a terminal.
[[nodiscard]] std::string without_controls(std::string_view text);

/// "table.name", the name in quotes where TOML would need them.
[[nodiscard]] std::string join_key(std::string_view table, std::string_view name);

/// Printable ASCII without spaces only.
[[nodiscard]] bool is_visible(std::string_view text) noexcept;
/// Without capitals of ASCII.
[[nodiscard]] std::string lowered(std::string_view text);
/// A name that a client can ask for by SNI, in lower case, or "*." and one.
[[nodiscard]] bool is_host_name(std::string_view name) noexcept;
inline constexpr std::string_view host_name_form =
    "a host name such as \"www.example.com\", or \"*.example.com\" for one label in front";
/// Letters, digits, '_', '-' and '.' only, and at least one.
[[nodiscard]] bool is_name(std::string_view text) noexcept;

}  // namespace penstock::config

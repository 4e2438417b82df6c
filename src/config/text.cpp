// Quoting for messages and the character classes of names. ASCII only, whatever the locale.
#include "text.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::config {
namespace {

constexpr std::string_view bare =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

void append_visible(std::string& text, char c) {
  const auto code = static_cast<unsigned char>(c);
  if (code < 0x20 || code == 0x7F) {
    text += fmt::format("\\x{:02x}", code);
  } else {
    text += c;
  }
}

}  // namespace

std::string without_controls(std::string_view text) {
  std::string result;
  for (const char c : text) append_visible(result, c);
  return result;
}

std::string quote(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::size_t shown = std::min(text.size(), longest);
  // Not in the middle of a UTF-8 sequence.
  while (shown < text.size() && shown > 0 &&
         (static_cast<unsigned char>(text[shown]) & 0xC0) == 0x80)
    --shown;
  std::string result = "\"";
  for (const char c : text.substr(0, shown)) {
    if (c == '"' || c == '\\') result += '\\';
    append_visible(result, c);
  }
  if (shown < text.size()) result += "…";
  return result + '"';
}

std::string join_key(std::string_view table, std::string_view name) {
  const bool plain = !name.empty() && name.find_first_not_of(bare) == std::string_view::npos;
  const std::string written = plain ? std::string(name) : quote(name);
  return table.empty() ? written : fmt::format("{}.{}", table, written);
}

bool is_visible(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

/// RFC 1035, 2.3.4 and RFC 1123, 2.1; with the underscore, which some names have.
bool is_host_name(std::string_view name) noexcept {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253) return false;
  const bool has_letter = std::ranges::any_of(
      name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '-'; });
  std::size_t label = 0;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' ? label == 0 : !plain || label == 63) return false;
    label = c == '.' ? 0 : label + 1;
  }
  return label > 0 && has_letter;  // an address is not asked for by SNI
}

bool is_name(std::string_view text) noexcept {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c == '.' || bare.find(c) != bare.npos; });
}

}  // namespace penstock::config

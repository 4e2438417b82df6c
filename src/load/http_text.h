// What reading text needs: HTTP/1 of the client and of the server, and conditions. Pure.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string_view>

namespace penstock::load {

inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether a header's name, or a token, is this one; `lower` in lower case.
inline bool same_name(std::string_view text, std::string_view lower) noexcept {
  return std::ranges::equal(text, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

inline std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// False unless all of `text` is a number.
template <class T>
bool read_number(std::string_view text, T& value, int base) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace penstock::load

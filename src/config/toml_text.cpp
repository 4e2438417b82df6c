// The only place where toml++ parses, and where its exceptions end.
#include "toml_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "penstock/base/unique_fd.h"

namespace penstock::config {
namespace {

Result<std::string> read_all(const std::string& path, std::string_view what) {
  constexpr std::size_t most = std::size_t{16}
                               << 20;  // far above any real one; a device would never end
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(fmt::format("cannot open {}", what), errno);
  std::string text;
  std::array<char, 16384> chunk{};
  while (text.size() <= most) {
    const auto count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("cannot read {}", what), errno);
    if (count == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return fail(fmt::format("cannot read {}: it is larger than 16 MiB", what));
}

/// toml++ says what it expected; an operator is helped more by what is usually wrong then.
std::string syntax_error(std::string_view description) {
  constexpr std::string_view prefix = "Error while parsing ";
  if (description.starts_with(prefix)) description.remove_prefix(prefix.size());
  std::string message = fmt::format("not valid TOML: {}", description);
  std::erase_if(message, [](char c) { return c == '\n' || c == '\r'; });
  if (message.find("leading zero") != std::string::npos)
    return message + " (write octal permissions as \"0660\")";
  constexpr std::array<std::string_view, 6> scalars = {"integer", "floating-point", "time",
                                                       "date",    "value",          "boolean"};
  const std::string_view what = description.substr(0, description.find(':'));
  const bool is_scalar =
      std::ranges::any_of(scalars, [&](std::string_view kind) { return what.ends_with(kind); });
  return is_scalar ? message + " (text, durations and addresses need quotes: \"10s\")" : message;
}

/// Columns count characters; in UTF-8 all bytes of one but its first are 10xxxxxx.
bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// Where a syntax error is. What the end of the file cuts off, toml++ misses behind the line's end.
Place place_in(std::string_view text, const toml::source_position& position) {
  for (toml::source_index line = 1; line < position.line; ++line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const auto end =
      text.begin() + static_cast<std::ptrdiff_t>(std::min(text.find('\n'), text.size()));
  const auto characters = std::count_if(text.begin(), end, begins_character);
  return {position.line, std::min(position.column, static_cast<std::uint32_t>(characters) + 1)};
}

/// Where a key with dots is far deeper than any that has a meaning. toml++ makes a table of each
/// part and goes through them recursively: 200,000 of them used up the stack.
std::optional<Place> too_deep(std::string_view text) {
  constexpr int most_dots = 128;
  constexpr std::string_view of_keys = "_-. \t";
  Place place{1, 1};
  int dots = 0;
  char quote = 0;  // what ends the string that we are in; a string may be a part of a key
  bool escaped = false;
  bool comment = false;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote && !escaped) quote = 0;
      escaped = c == '\\' && quote == '"' && !escaped;
    } else if (!comment && (c == '"' || c == '\'')) {
      quote = c;
    } else {
      comment = c != '\n' && (comment || c == '#');
      const bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
      const bool in_key = !comment && (letter || of_keys.find(c) != std::string_view::npos);
      dots = in_key ? dots + (c == '.' ? 1 : 0) : 0;
      if (dots > most_dots) return place;
    }
    if (c == '\n') {
      place = {place.line + 1, 1};
    } else if (begins_character(c)) {
      ++place.column;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, std::string_view what,
                                     Source& source) {
  auto text = read_all(path, what);
  if (text) return std::move(*text);
  source.error({}, text.error().message);
  return std::nullopt;
}

std::optional<toml::table> parse_toml(std::string_view text, Source& source) {
  if (const auto place = too_deep(text)) {
    source.error(*place, "not valid here: a key with more than 128 dots");
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    source.error(place_in(text, error.source().begin), syntax_error(error.description()));
    return std::nullopt;
  }
}

}  // namespace penstock::config

// Log lines for operators: one line a message on stderr, "2026-01-31T12:00:00.000Z info text". Any
// thread but a shard may write; shards count and record instead, the supervisor tells. A reader of
// stderr that has stopped reading holds nobody up: lines are dropped, counted and told of later.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::log {

enum class Level : std::uint8_t { debug, info, warn, error };

/// Lines below `level` are dropped. Default: info. Set once at start.
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;

/// The wall clock, for what people read and for certificates; nothing that is scheduled asks it.
[[nodiscard]] std::chrono::system_clock::time_point wall_clock() noexcept;
/// RFC 3339 in UTC with milliseconds: "2026-01-31T12:00:00.000Z".
[[nodiscard]] std::string timestamp(std::chrono::system_clock::time_point at);

/// Writes one line, or drops it when stderr takes nothing for a tenth of a second. Newlines and
/// control characters inside `text` are replaced by spaces.
void write(Level level, std::string_view text) noexcept;

template <class... Arguments>
void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::info))
    write(Level::info, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void warn(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::warn))
    write(Level::warn, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::error))
    write(Level::error, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::debug))
    write(Level::debug, fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace penstock::log

// Numbers in sentences: "1 session", "2 sessions". For log lines and the demo.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::app {

/// The number and its noun, in the plural where it is one.
[[nodiscard]] inline std::string counted(std::uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

}  // namespace penstock::app

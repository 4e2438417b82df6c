// A run while it lasts, as text for a person. Pure: the caller says what time it is and how wide
// the terminal, and writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "penstock/load/run_result.h"

namespace penstock::load {

/// Connections that are opened before the load begins.
struct Opening {
  std::uint64_t opened = 0;
  std::uint64_t wanted = 0;
};

struct LiveState {
  std::optional<Opening> opening{};  ///< the load has not begun
  Loop loop = Loop::open;
  bool warming_up = false;
  Duration elapsed{};
  std::optional<Duration> whole{};  ///< none: until so many operations are done
  double asked_per_second = 0;      ///< now; zero in a closed loop
  std::uint64_t operations = 0;     ///< so far, those that went well
  std::uint64_t errors = 0;         ///< so far; while opening: attempts that failed
  Interval last{};
  const Recorder* total = nullptr;  ///< all that was measured so far, for the call only
};

/// A line for an interval, with its newline: where the output is not a terminal.
[[nodiscard]] std::string live_line(const LiveState& state);

/// A line for an attempt of a search, with its newline.
[[nodiscard]] std::string attempt_line(const Step& step);

enum class Redraw : std::uint8_t {
  first,  ///< below what the terminal shows
  again,  ///< over the last one, the cursor is where that one left it
};
/// A few lines, none wider than `columns`, and the movements of the cursor (ECMA-48) that put them
/// there.
[[nodiscard]] std::string live_view(const LiveState& state, std::size_t columns, Redraw redraw);

}  // namespace penstock::load

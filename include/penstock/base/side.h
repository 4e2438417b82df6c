// Side: which end of a session. Front faces the client, back faces the backend. A direction is
// named by the side that its bytes come from.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock {

enum class Side : std::uint8_t { front, back };

[[nodiscard]] constexpr Side other(Side side) noexcept {
  return side == Side::front ? Side::back : Side::front;
}
[[nodiscard]] constexpr std::size_t index(Side side) noexcept {
  return static_cast<std::size_t>(side);
}

}  // namespace penstock

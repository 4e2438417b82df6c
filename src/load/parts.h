// The parts that connections of a Crowd can have: bulk streams, idle ones, hostile ones.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "part.h"

namespace penstock::load {

/// Sends the pattern until the end. Verified: our own server checks it and says what came.
/// Otherwise any server that reads will do.
[[nodiscard]] std::unique_ptr<Part> make_upload(Member& member, bool verify);
/// Receives until the end. Verified: it asks our own server for the pattern and checks it.
/// Otherwise any server that sends will do.
[[nodiscard]] std::unique_ptr<Part> make_download(Member& member, bool verify);
/// Says nothing, and counts when it is not left in peace.
[[nodiscard]] std::unique_ptr<Part> make_idle(Member& member);

enum class ChaosKind : std::uint8_t {
  slowloris,    ///< an HTTP request's head, a byte a second
  half_hello,   ///< half of a TLS ClientHello, and silence
  zero_window,  ///< requests without end, and no answer is read
  reset,        ///< a reset as soon as the connection is there
  garbage,      ///< random bytes
  silent,       ///< nothing at all
};
[[nodiscard]] std::string_view name_of(ChaosKind kind) noexcept;
inline constexpr std::string_view chaos_kinds[] = {"slowloris", "half-hello", "zero-window",
                                                   "reset",     "garbage",    "silent"};

struct ChaosMaterial {
  std::vector<std::byte> hello{};  ///< a ClientHello
  std::string request{};           ///< what a client of the target would send
};
/// `material` is borrowed.
[[nodiscard]] std::unique_ptr<Part> make_chaos(Member& member, ChaosKind kind,
                                               const ChaosMaterial& material);

}  // namespace penstock::load

// Preface: how a connection tells our own server what it is about: the stream's key, what comes
// from the client and what it wants to have. Fixed size, little-endian, the first bytes of the
// stream. An echo server of any other kind never sees one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "penstock/load/pattern.h"

namespace penstock::load {

/// What a client does on the connection.
enum class Purpose : std::uint32_t {
  rr = 1,        ///< requests of one size, answered by answers of another
  upload = 2,    ///< the pattern until it ends its stream; a Receipt is the answer
  download = 3,  ///< the server sends the pattern, `bytes` of it
};

struct Preface {
  static constexpr std::size_t size = 48;
  Purpose purpose = Purpose::rr;
  StreamKey key{};                 ///< of the client's stream; the server's is answer_key()
  std::uint32_t request_size = 0;  ///< rr
  std::uint32_t answer_size = 0;   ///< rr
  std::uint64_t bytes = 0;         ///< download: how many; 0: without end

  [[nodiscard]] std::array<std::byte, size> encode() const noexcept;
  /// nullopt: these bytes are no preface.
  [[nodiscard]] static std::optional<Preface> decode(
      std::span<const std::byte, size> bytes) noexcept;
  /// Whether a stream that begins so may be a preface; `bytes` may be shorter than one.
  [[nodiscard]] static bool may_begin(std::span<const std::byte> bytes) noexcept;
};

/// A server's answer to an upload, the last bytes of its stream.
struct Receipt {
  static constexpr std::size_t size = 24;
  std::uint64_t bytes = 0;                     ///< of the pattern that came
  std::optional<std::uint64_t> first_wrong{};  ///< the offset of the first wrong byte

  [[nodiscard]] std::array<std::byte, size> encode() const noexcept;
  /// nullopt: these bytes are no receipt.
  [[nodiscard]] static std::optional<Receipt> decode(
      std::span<const std::byte, size> bytes) noexcept;
};

/// The key, or another one in its place, of a stream whose first byte is not a preface's: a server
/// would hold back requests that are shorter than what tells a preface.
[[nodiscard]] StreamKey unlike_preface(StreamKey key) noexcept;

/// The key of what a server sends to a client whose own stream has `key`.
[[nodiscard]] constexpr StreamKey answer_key(StreamKey key) noexcept { return {~key.value}; }

}  // namespace penstock::load

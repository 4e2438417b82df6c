// Codec: how an operation's request and answer look on a connection. Stateless but for its options;
// what a connection is in the middle of is in CodecState. One codec serves all connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "penstock/load/recorder.h"

namespace penstock::load {

struct CodecState {
  static constexpr std::size_t unknown_length = SIZE_MAX;

  std::uint64_t key = 0;         ///< of the stream's pattern
  std::uint64_t sent = 0;        ///< pattern bytes sent
  std::uint64_t checked = 0;     ///< pattern bytes received
  std::size_t request_left = 0;  ///< bytes of the request that is being written
  std::size_t answer_left = 0;   ///< of the answer that is being read, or unknown_length
  bool introduced = false;       ///< the preface is out
  bool last = false;             ///< the server closes after this answer
  int status = 0;                ///< HTTP
  std::uint8_t step = 0;         ///< of the parser
  std::string damage{};          ///< what is wrong with an answer of wrong bytes, a clause
  std::string header{};          ///< HTTP: a header block that has come in part
};

/// What became of an answer.
struct Answer {
  enum class State : std::uint8_t { more, done, failed };
  State state = State::more;
  ErrorClass error = ErrorClass::bad_response;  ///< when it failed
};

class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;
  /// Writes a request, or the next part of one: until `state.request_left` is 0. Returns how many
  /// bytes; 0 when `to` is too small to begin.
  [[nodiscard]] virtual std::size_t write(CodecState& state, std::span<std::byte> to) const = 0;
  /// Takes bytes of one answer off the front of `bytes`.
  [[nodiscard]] virtual Answer read(CodecState& state, std::span<const std::byte>& bytes) const = 0;
  /// The stream has ended: done or failed when that ends an answer; more when it cuts one off.
  [[nodiscard]] virtual Answer end(CodecState& state) const = 0;
};

}  // namespace penstock::load

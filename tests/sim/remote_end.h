// RemoteEnd: a client or a backend's side of one connection, acting by a script at its own pace.
// The bytes that it sends can be told from anybody else's at any position, so what arrives is
// checked byte by byte as it comes: never invented, never reordered, never another connection's.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "network.h"
#include "tls_end.h"

namespace penstock::sim {

enum class Leave : std::uint8_t { reset, close, vanish };

/// What a backend does with a health check, which it knows by its first bytes.
enum class CheckAnswer : std::uint8_t { passes, fails, garbage, half, hangs_up, resets, silent };

struct Script {
  std::uint64_t total = 0;  ///< bytes to send; 0 or at least the 8 that tell who sends
  std::size_t write_chunk = 4096;
  std::size_t read_chunk = 4096;
  Duration pace_min = 20us;  ///< between two moves
  Duration pace_max = 2ms;
  double stall = 0;  ///< chance per move to do nothing for up to stall_max
  Duration stall_max{};
  bool fin_after_peer = false;  ///< ends its stream only once the peer has
  bool answers = false;         ///< sends nothing before something has come
  bool silent = false;          ///< neither reads nor writes
  /// Bytes sent and received after which it leaves; the largest number: never.
  std::uint64_t leave_after = std::numeric_limits<std::uint64_t>::max();
  Leave leave = Leave::reset;
  std::optional<TlsEnd::Options> tls;  ///< absent: plain
  bool garbage = false;                ///< speaks anything but TLS where that is spoken
  CheckAnswer check_answer = CheckAnswer::passes;
};

class RemoteEnd {
 public:
  /// `id` is not 0 and nobody else's.
  RemoteEnd(Network& network, Stream& stream, std::uint64_t id, const Script& script);
  RemoteEnd(const RemoteEnd&) = delete;
  RemoteEnd& operator=(const RemoteEnd&) = delete;

  void start() { move_later(); }
  /// From now on it reads all, sends no more than it has begun to, and ends properly.
  void cooperate();

  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] Instant born() const noexcept { return born_; }
  /// Who sent what it received; 0 while that is not known.
  [[nodiscard]] std::uint64_t peer_id() const noexcept;
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] bool fin_sent() const noexcept { return fin_sent_; }
  [[nodiscard]] bool fin_seen() const noexcept { return fin_seen_; }
  /// The errno that a read or write has met; 0: none.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// It reset, closed early or vanished.
  [[nodiscard]] bool left() const noexcept { return left_; }
  /// It did not read, for as long as there were faults.
  [[nodiscard]] bool was_silent() const noexcept { return was_silent_; }
  [[nodiscard]] bool vanished() const noexcept { return left_ && script_.leave == Leave::vanish; }
  /// It will do nothing more.
  [[nodiscard]] bool done() const noexcept { return done_; }
  [[nodiscard]] const Stream& stream() const noexcept { return stream_; }
  /// Bytes of its stream that have arrived at the other end's kernel, and whether its end has.
  [[nodiscard]] std::uint64_t arrived() const noexcept {
    return tls_ ? tls_->arrived() : stream_.arrived();
  }
  [[nodiscard]] bool end_arrived() const noexcept {
    return tls_ ? tls_->end_arrived() : stream_.fin_arrived();
  }
  [[nodiscard]] bool is_tls() const noexcept { return tls_ != nullptr; }
  [[nodiscard]] bool garbage() const noexcept { return script_.garbage; }
  /// It is a backend's side of a health check.
  [[nodiscard]] bool is_check() const noexcept { return is_check_; }
  /// It has sent ciphertext that cannot be decrypted.
  [[nodiscard]] bool corrupted() const noexcept { return tls_ && tls_->corrupted(); }

 private:
  void move_later();
  void move();
  void leave();
  void read();
  void write();
  void answer_check();
  void finish_check();
  [[nodiscard]] int receive(std::span<std::byte> to);
  [[nodiscard]] int send(std::span<const std::byte> from);
  [[nodiscard]] int finish();
  void check(std::string_view bytes);
  [[nodiscard]] std::byte byte_at(std::uint64_t id, std::uint64_t position) const noexcept;

  Network& network_;
  Stream& stream_;
  std::uint64_t id_;
  Instant born_;
  Script script_;
  std::unique_ptr<TlsEnd> tls_;  // null: plain
  std::array<unsigned char, 8> peer_name_{};
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  int error_ = 0;
  bool fin_sent_ = false;
  bool fin_seen_ = false;
  bool read_ended_ = false;
  bool left_ = false;
  bool was_silent_ = false;
  bool done_ = false;
  bool is_check_ = false;
  bool check_answered_ = false;
  bool check_closes_ = false;
};

}  // namespace penstock::sim

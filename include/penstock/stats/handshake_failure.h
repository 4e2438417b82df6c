// HandshakeFailure: what is told of a TLS handshake that failed, on either side, and the box in
// which a shard leaves such news for the supervisor. Plain data of fixed size: the shard copies it
// and goes on; when the box is full it is dropped and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "penstock/base/ids.h"
#include "penstock/net/endpoint.h"
#include "penstock/stats/bounded_ring.h"
#include "penstock/stats/fixed_text.h"

namespace penstock::stats {

struct HandshakeFailure {
  Endpoint client;
  ListenerId listener{};
  std::optional<BackendId> backend;  ///< with which it failed; absent: with the client
  FixedText<80> server_name;         ///< that was asked for; empty: none, or it is not known
  FixedText<160> cause;              ///< "no shared cipher"
  std::optional<std::uint8_t> alert_sent;
  std::optional<std::uint8_t> alert_received;
};

class FailureBox {
 public:
  /// The writer's: true when the reader has to be woken.
  [[nodiscard]] bool put(const HandshakeFailure& failure) noexcept {
    if (!ring_.push(failure)) dropped_.fetch_add(1, std::memory_order_relaxed);
    return !noticed_.exchange(true, std::memory_order_acq_rel);
  }
  /// The reader's: true when there may be something in it.
  [[nodiscard]] bool has_news() const noexcept { return noticed_.load(std::memory_order_acquire); }
  /// The reader's: from here on the writer wakes it again.
  void open() noexcept { noticed_.store(false, std::memory_order_release); }
  [[nodiscard]] std::optional<HandshakeFailure> take() noexcept { return ring_.pop(); }
  /// How many did not fit since the last call.
  [[nodiscard]] std::uint64_t take_dropped() noexcept {
    return dropped_.exchange(0, std::memory_order_relaxed);
  }

 private:
  BoundedRing<HandshakeFailure> ring_{64};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<bool> noticed_{false};
};

}  // namespace penstock::stats

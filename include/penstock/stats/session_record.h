// SessionRecord: what is told of a session when it ends, and the ring through which a shard hands
// records to the log writer. A record is plain data of fixed size: the shard copies it and goes on;
// when the reader is slow it is dropped and counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "penstock/base/assert.h"
#include "penstock/base/ids.h"
#include "penstock/base/json.h"
#include "penstock/net/endpoint.h"
#include "penstock/stats/close_reason.h"
#include "penstock/stats/counters.h"
#include "penstock/time/instant.h"

namespace penstock::stats {

struct SessionRecord {
  Endpoint client;
  ListenerId listener{};
  std::optional<BackendId> backend;
  CloseReason reason = CloseReason::finished;
  std::uint64_t bytes_in = 0;   ///< client to backend
  std::uint64_t bytes_out = 0;  ///< backend to client
  Duration duration{};          ///< from accept to the end
  Duration connect_time{};      ///< from the first dial to the connection; zero when there was none
  std::uint32_t tries = 0;      ///< backends dialled
  bool tls = false;
};

/// One JSON object for the access log; "backend" is null for a session that never had one. The log
/// writer adds the time.
[[nodiscard]] Json to_json(const SessionRecord& record, const Names& names);

/// A bounded queue with one writer (the shard) and one reader (the log writer).
class RecordRing {
 public:
  /// `capacity`: a power of two.
  explicit RecordRing(std::size_t capacity) : records_(capacity) {
    PENSTOCK_ASSERT(capacity != 0 && (capacity & (capacity - 1)) == 0);
  }

  /// False when the ring is full: the record is lost.
  [[nodiscard]] bool push(const SessionRecord& record) noexcept;
  /// The oldest record, or nullopt when there is none now.
  [[nodiscard]] std::optional<SessionRecord> pop() noexcept;

 private:
  std::vector<SessionRecord> records_;
  alignas(64) std::atomic<std::size_t> head_{0};  // next to read; the reader's
  alignas(64) std::atomic<std::size_t> tail_{0};  // next to write; the writer's
};

}  // namespace penstock::stats

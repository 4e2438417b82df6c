// Counters: what one shard counts. Written by that shard only (relaxed stores, no locked
// instruction), read by the supervisor at any time; sums over shards are the process's figures.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/json.h"
#include "penstock/stats/close_reason.h"
#include "penstock/tls/handshake_fault.h"

namespace penstock::stats {

/// A number with one writer.
class Counter {
 public:
  void add(std::uint64_t amount = 1) noexcept {
    value_.store(get() + amount, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t amount = 1) noexcept {
    value_.store(get() - amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

using ClosedCounters = std::array<Counter, close_reason_count>;

struct alignas(64) ListenerCounters {
  Counter accepted;       ///< sessions begun
  Counter active;         ///< sessions now
  ClosedCounters closed;  ///< by reason
  /// Those that ended as handshake_failed or handshake_timeout, by fault.
  std::array<Counter, tls::handshake_faults.size()> handshake_faults;
};

struct alignas(64) BackendCounters {
  Counter connections;      ///< connects that succeeded
  Counter failed_connects;  ///< tries that did not
  Counter active;           ///< sessions now
  ClosedCounters closed;    ///< sessions that ended while they had this backend, by reason
  Counter bytes_in;         ///< client to backend, handed to the kernel
  Counter bytes_out;        ///< backend to client
};

struct alignas(64) ShardCounters {
  ShardCounters(std::size_t listeners, std::size_t backends)
      : listener(listeners), backend(backends) {}
  std::vector<ListenerCounters> listener;  ///< by ListenerId
  std::vector<BackendCounters> backend;    ///< by BackendId
  Counter turns;                           ///< loop turns
  Counter accept_errors;     ///< accepts that failed (EMFILE, ENFILE, ECONNABORTED, …)
  Counter parked;            ///< connections accepted at the limit, waiting now
  Counter handed_over;       ///< connections accepted here and given to another shard
  Counter receives;          ///< completed receives with data
  Counter buffer_shortages;  ///< receives that found no posted buffer (ENOBUFS)
  Counter splices;           ///< directions that went from copying to splicing
  Counter splices_ended;     ///< … and back again, without having ended
  Counter pipes_refused;     ///< … that found no pipe of full size
  Counter records_dropped;   ///< session-end records that the log did not take
};

/// The names that figures are printed under.
struct Names {
  std::vector<std::string> listeners;  ///< by ListenerId
  std::vector<std::string> backends;   ///< by BackendId, "pool/name"
};

/// The process's figures as one object: {"sessions": {accepted, active, parked, closed: {reason:
/// n}}, "listeners": {name: …}, "backends": {name: …}, "faults": {…}, "splice": {…},
/// "shards": [{active, handed_over}], "receives": n, "turns": n}.
/// A listener's object has handshake_faults: {fault: n}, too. What did not occur is left out.
[[nodiscard]] Json to_json(std::span<const std::unique_ptr<ShardCounters>> shards,
                           const Names& names);

}  // namespace penstock::stats

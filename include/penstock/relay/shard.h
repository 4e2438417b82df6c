// Shard: the loop of one core. It owns a ring, buffers, timers and sessions; it shares nothing that
// is written with other shards but the process's session count and their inboxes. Construct it and
// call turn() on one thread; the supervisor talks to it through push_liveness(), stop_accepting()
// and cut_sessions(), which are safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "penstock/balance/liveness.h"
#include "penstock/base/ids.h"
#include "penstock/io/kernel.h"
#include "penstock/io/pipe_pool.h"
#include "penstock/relay/inbox.h"
#include "penstock/relay/routing.h"
#include "penstock/relay/splicing.h"
#include "penstock/stats/counters.h"
#include "penstock/stats/handshake_failure.h"
#include "penstock/stats/session_record.h"

namespace penstock::relay {

/// A listening socket that the supervisor owns and lends to a shard.
struct LentListener {
  ListenerId id;
  int fd = -1;
};

struct ShardOptions {
  ShardId id;
  io::FeatureSet features;
  std::uint32_t max_connections =
      1000;  ///< of the whole process; the shard reserves room for all of them
  std::atomic<std::uint32_t>* process_sessions =
      nullptr;                               ///< how many the process has now; borrowed
  stats::ShardCounters* counters = nullptr;  ///< borrowed, written by this shard only
  stats::RecordRing* records = nullptr;      ///< borrowed; null: nobody wants session records
  io::PipeBudget* pipe_budget = nullptr;     ///< of the process; borrowed; null: nothing is spliced
  SpliceRules splice;
  std::span<const std::unique_ptr<Inbox>> inboxes;  ///< by ShardId, borrowed; none: no hand-over
  /// A connection goes to another shard when that has fewer by more than this and an eighth of what
  /// it has: a hand-over wakes it, which is worth it for connections that stay.
  std::uint32_t even_enough = 2;
  stats::FailureBox* failures = nullptr;  ///< where failed handshakes are explained; null: nowhere
  int supervisor_event = -1;  ///< notified when listeners_released() becomes true; -1: nobody waits
};

/// The most memory that serving can take, TLS engines and the kernel's socket buffers not counted,
/// in bytes.
struct MemoryLimit {
  std::size_t per_session =
      0;  ///< the session itself and the small buffers it can hold while both peers are slow
  std::size_t per_shard =
      0;  ///< posted buffers and the pool of large ones, whatever the number of sessions
};
[[nodiscard]] MemoryLimit memory_limit(std::uint32_t max_connections) noexcept;

class Shard {
 public:
  /// `routing` must outlive the shard. Error: the ring or the memory cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<Shard>> create(
      io::Kernel& kernel, const ShardOptions& options, const Routing& routing,
      std::unique_ptr<TlsContexts> contexts, balance::Liveness liveness,
      const std::vector<LentListener>& listeners);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  /// One loop turn: waits for completions or the next deadline and handles them. False once it was
  /// told to stop and its last session has ended: nothing is in flight then. Error: the ring is
  /// broken; the process cannot go on.
  [[nodiscard]] Result<bool> turn();

  // From any thread:

  /// The newest value wins; connections accepted after it is seen choose by it.
  void push_liveness(std::unique_ptr<const balance::Liveness> liveness) noexcept;
  /// The newest value wins; handshakes that begin after it is seen use it.
  void push_contexts(std::unique_ptr<TlsContexts> contexts) noexcept;
  /// Ends accepting: what is queued on the listeners is accepted and served (attach the SYN filter
  /// first), then they are given back: listeners_released().
  void stop_accepting() noexcept;
  /// Aborts every session with reason `shutdown`. Implies stop_accepting().
  void cut_sessions() noexcept;
  [[nodiscard]] bool listeners_released() const noexcept;

 private:
  class Loop;
  explicit Shard(std::unique_ptr<Loop> loop) noexcept;
  std::unique_ptr<Loop> loop_;
};

}  // namespace penstock::relay

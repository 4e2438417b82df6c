// Context: what the sessions of a shard work with. One per shard, borrowed by every session; only
// the shard's thread sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/balance/liveness.h"
#include "penstock/base/intrusive_list.h"
#include "penstock/io/buffer_pool.h"
#include "penstock/io/kernel.h"
#include "penstock/io/pipe_pool.h"
#include "penstock/io/ring.h"
#include "penstock/relay/routing.h"
#include "penstock/relay/splicing.h"
#include "penstock/stats/counters.h"
#include "penstock/stats/handshake_failure.h"
#include "penstock/stats/session_record.h"
#include "penstock/time/timer_wheel.h"
#include "penstock/tls/client.h"

namespace penstock::relay {

/// What an Op's owner is.
enum class Role : std::uint8_t { loop, acceptor, session };

class Session;
struct OfListener;  ///< tags of the lists that a session is on
struct OfBackend;
struct Splicing;
struct Shaking;
struct Ended;

struct Context {
  io::Kernel& kernel;
  io::Ring& ring;
  io::BufferPool& buffers;
  io::PipePool& pipes;
  const SpliceRules& splice_rules;
  TimerWheel& timers;
  const Routing& routing;
  stats::ShardCounters& counters;
  stats::RecordRing* records;   ///< null: nobody wants them
  stats::FailureBox* failures;  ///< null: nobody wants to know
  int supervisor_event;         ///< notified when there is something new in `failures`; -1: not
  std::unique_ptr<TlsContexts> contexts;
  balance::Liveness liveness;
  std::vector<tls::Session> sessions;  ///< to resume, by BackendId; of those that speak TLS
  Instant now{};                       ///< of this turn
  std::uint64_t nameless_clients = 0;  ///< numbers the clients of unix sockets
  std::vector<IntrusiveList<Session, OfListener>> by_listener;  ///< every session, by ListenerId
  std::vector<IntrusiveList<Session, OfBackend>> by_backend;  ///< the connected ones, by BackendId
  IntrusiveList<Session, Splicing> splicing;  ///< those with a direction on the splice path
  Timer splice_timer;                         ///< runs while there are any
  IntrusiveList<Session, Shaking> shaking;    ///< those whose handshake can go on
  IntrusiveList<Session, Ended> ended;        ///< to be released by the shard
};

}  // namespace penstock::relay

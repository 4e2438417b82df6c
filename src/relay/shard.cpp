// The loop of one core: wait, read the clock, see what other threads want, hand completions and due
// timers to their owners, release what has ended.
#include "penstock/relay/shard.h"

#include <utility>

#include "acceptor.h"
#include "context.h"
#include "penstock/base/latest.h"
#include "penstock/base/planted.h"
#include "penstock/base/slab.h"
#include "session.h"

namespace penstock::relay {
namespace {

/// Small buffers that one session can hold at most: what was received, decoded and encoded, both
/// ways.
constexpr std::uint32_t small_per_session = 6;
/// Large buffers of a shard, 256 MiB: beyond them, directions in bulk make do with small ones.
constexpr std::uint32_t large_limit = 4096;
constexpr std::uint32_t small_posted =
    1024;  // measured: with 1000 busy connections 1024 × 4 KiB never ran out
constexpr std::uint32_t large_posted = 16;  // measured: they stay in the L2 cache
constexpr Duration trim_interval = 1s;
/// A thread that is this late was held up (stopped, starved): bytes may have come in time.
constexpr Duration held_up = 100ms;
constexpr int catch_up_rounds = 256;  ///< the kernel hands over about 20 completions in each

io::BufferPool::Options pool_options(std::uint32_t sessions) noexcept {
  return {.small_count = sessions * small_per_session,
          .large_count = std::min(sessions * small_per_session, large_limit),
          .small_posted = small_posted,
          .large_posted = large_posted};
}

}  // namespace

MemoryLimit memory_limit(std::uint32_t max_connections) noexcept {
  using io::BufferClass;
  using io::BufferPool;
  const std::size_t large = pool_options(max_connections).large_count + large_posted;
  return {
      .per_session = sizeof(Session) + small_per_session * BufferPool::capacity(BufferClass::small),
      .per_shard = small_posted * BufferPool::capacity(BufferClass::small) +
                   large * BufferPool::capacity(BufferClass::large)};
}

class Shard::Loop {
 public:
  Loop(std::unique_ptr<io::Ring> ring, std::unique_ptr<io::BufferPool> buffers,
       Slab<Session> sessions, int event_fd, const ShardOptions& options, const Routing& routing,
       std::unique_ptr<TlsContexts> contexts, balance::Liveness liveness,
       const std::vector<LentListener>& listeners)
      : ring_(std::move(ring)),
        buffers_(std::move(buffers)),
        pipes_(ring_->kernel(), options.pipe_budget, options.splice.pipe_size),
        timers_(ring_->kernel().now()),
        sessions_(std::move(sessions)),
        options_(options),
        event_fd_(event_fd),
        wake_op_(this),
        cancel_op_(this),
        context_{
            .kernel = ring_->kernel(),
            .ring = *ring_,
            .buffers = *buffers_,
            .pipes = pipes_,
            .splice_rules = options_.splice,
            .timers = timers_,
            .routing = routing,
            .counters = *options.counters,
            .records = options.records,
            .failures = options.failures,
            .supervisor_event = options.supervisor_event,
            .contexts = std::move(contexts),
            .liveness = std::move(liveness),
            .sessions = std::vector<tls::Session>(routing.backends.size()),
            .now = ring_->kernel().now(),
            .by_listener =
                std::vector<IntrusiveList<Session, OfListener>>(routing.listeners.size()),
            .by_backend = std::vector<IntrusiveList<Session, OfBackend>>(routing.backends.size()),
            .splicing = {},
            .splice_timer = {},
            .shaking = {},
            .ended = {}},
        acceptor_(context_, sessions_, listeners,
                  {.max_connections = options.max_connections,
                   .process_sessions = *options.process_sessions,
                   .inboxes = options.inboxes,
                   .shard = options.id,
                   .even_enough = options.even_enough}) {
    if (!options.inboxes.empty()) options.inboxes[options.id.value]->open(event_fd_);
    ring_->wait_event(wake_op_, event_fd_);
    timers_.schedule(trim_timer_, context_.now + trim_interval);
    acceptor_.start();
  }
  ~Loop() {
    PENSTOCK_ASSERT(sessions_.used() == 0 && acceptor_.idle());
    ring_->kernel().close(event_fd_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Result<bool> turn() {
    const Instant deadline = timers_.next_deadline();
    // With handshakes left it only looks what else there is to do.
    const Instant until = context_.shaking.empty() ? deadline : context_.now;
    if (auto waited = ring_->wait(until); !waited) return std::unexpected(waited.error());
    context_.now = ring_->kernel().now();
    context_.counters.turns.add();
    read_inbox();
    drain();
    if (deadline != never && context_.now - deadline > held_up) {
      if (auto caught_up = catch_up(); !caught_up) return std::unexpected(caught_up.error());
    }
    timers_.advance(context_.now, [this](Timer& timer) { on_timer(timer); });
    shake_one_hand();
    release_ended();
    return !finished();
  }

  void wake() noexcept { ring_->kernel().notify(event_fd_); }

  // Written by other threads, read at the top of a turn.
  Latest<const balance::Liveness> next_liveness;
  Latest<TlsContexts> next_contexts;
  Latest<TlsContexts> used_contexts;  // the other way: freeing them takes too long for a turn
  std::atomic<bool> stop_wanted{false};
  std::atomic<bool> cut_wanted{false};
  std::atomic<bool> released{false};  // the other way: written here

 private:
  std::size_t drain() {
    return ring_->drain([this](const io::Completion& completion) { dispatch(completion); });
  }

  /// Takes all that has happened before a timer may say that nothing did. A wait that was
  /// interrupted returns without completions although there are some.
  Result<void> catch_up() {
    for (int round = 0; round < catch_up_rounds; ++round) {
      if (auto waited = ring_->wait(context_.now); !waited) return waited;
      if (drain() == 0) break;
    }
    return {};
  }

  void read_inbox() {
    const auto newest = next_liveness.take();
    if (newest && !planted(Planted::liveness_lost)) context_.liveness = *newest;
    if (auto contexts = next_contexts.take()) {
      used_contexts.put(std::exchange(context_.contexts, std::move(contexts)));
    }
    if (stop_wanted.load(std::memory_order_acquire)) acceptor_.stop();
    if (cut_wanted.load(std::memory_order_acquire) && !cut_) cut_all();
    acceptor_.take_handed_over();
  }

  void cut_all() {
    cut_ = true;
    acceptor_.abandon();
    for (auto& sessions : context_.by_listener) {
      for (Session* session = sessions.front(); session != nullptr;) {
        Session* next = sessions.next(*session);  // cut() may end it, which takes it off the list
        session->cut(stats::CloseReason::shutdown);
        session = next;
      }
    }
  }

  void dispatch(const io::Completion& completion) {
    void* owner = completion.op.owner;
    switch (static_cast<Role>(completion.op.role)) {
      case Role::session:
        return static_cast<Session*>(owner)->on_completion(completion);
      case Role::acceptor:
        return acceptor_.on_completion(completion);
      case Role::loop:
        if (completion.op.kind == io::OpKind::wake && !finishing_)
          ring_->wait_event(wake_op_, event_fd_);
    }
  }

  void on_timer(Timer& timer) {
    if (&timer == &trim_timer_) {
      buffers_->trim();
      pipes_.trim();
      timers_.schedule(trim_timer_, context_.now + trim_interval);
    } else if (&timer == &context_.splice_timer) {
      on_splice_timer();
    } else if (acceptor_.owns(timer)) {
      acceptor_.resume();
    } else {
      static_cast<Session*>(timer.owner)->on_timer();
    }
  }

  void on_splice_timer() {
    bool again = false;
    for (Session* session = context_.splicing.front(); session != nullptr;) {
      Session* next = context_.splicing.next(*session);  // it may leave the list
      again = session->on_splice_timer() || again;
      session = next;
    }
    if (context_.splicing.empty()) pipes_.close_free();
    if (again && !context_.splice_timer.scheduled())
      timers_.schedule(context_.splice_timer, context_.now + options_.splice.interval);
  }

  /// Handshakes are what takes longest, with an RSA key half a millisecond each. One goes on in a
  /// turn, so that those who are through do not wait for all that just began: beside 64 handshakes
  /// at a time the 99th percentile of requests was 4 ms, with four a turn 8, without a limit 20 to
  /// 26, and the handshakes were as many.
  void shake_one_hand() {
    if (Session* session = context_.shaking.pop_front()) session->continue_handshake();
    if (planted(Planted::handshake_forgotten)) {
      while (context_.shaking.pop_front() != nullptr) {
      }
    }
  }

  /// Gives the slots of ended sessions back and lets waiting connections have them.
  void release_ended() {
    while (!context_.ended.empty()) {
      while (Session* session = context_.ended.pop_front()) {
        sessions_.release(*session);
        acceptor_.session_ended();
      }
      acceptor_.resume();  // its sessions may end at once
    }
    if (!released.load(std::memory_order_relaxed) && acceptor_.released()) {
      released.store(true, std::memory_order_release);
      if (options_.supervisor_event >= 0) ring_->kernel().notify(options_.supervisor_event);
    }
  }

  /// Stopped, served and joined: the last request to end is the one that waits for news.
  bool finished() {
    if (!acceptor_.released() || sessions_.used() > 0 || !acceptor_.idle()) return false;
    if (!finishing_) {
      if (!acceptor_.close_inbox()) return false;  // whoever is in it wakes us
      finishing_ = true;
      if (wake_op_.in_flight) ring_->cancel_all(cancel_op_, event_fd_);
    }
    return ring_->in_flight() == 0;
  }

  std::unique_ptr<io::Ring> ring_;
  std::unique_ptr<io::BufferPool> buffers_;
  io::PipePool pipes_;
  TimerWheel timers_;
  Slab<Session> sessions_;
  ShardOptions options_;
  int event_fd_;
  io::Op wake_op_;
  io::Op cancel_op_;
  Timer trim_timer_;
  Context context_;
  Acceptor acceptor_;
  bool cut_ = false;
  bool finishing_ = false;
};

Result<std::unique_ptr<Shard>> Shard::create(io::Kernel& kernel, const ShardOptions& options,
                                             const Routing& routing,
                                             std::unique_ptr<TlsContexts> contexts,
                                             balance::Liveness liveness,
                                             const std::vector<LentListener>& listeners) {
  PENSTOCK_ASSERT(options.counters != nullptr && options.process_sessions != nullptr);
  auto ring = io::Ring::open(kernel, {.features = options.features});
  if (!ring) return std::unexpected(ring.error());
  auto buffers = io::BufferPool::create(**ring, pool_options(options.max_connections));
  if (!buffers) return std::unexpected(buffers.error());
  auto sessions = Slab<Session>::create(options.max_connections);
  if (!sessions) return std::unexpected(sessions.error());
  const auto event_fd = kernel.open_event();
  if (!event_fd) return std::unexpected(event_fd.error());
  return std::unique_ptr<Shard>(
      new Shard(std::make_unique<Loop>(  // NOLINT: the constructor is private
          std::move(*ring), std::move(*buffers), std::move(*sessions), *event_fd, options, routing,
          std::move(contexts), std::move(liveness), listeners)));
}

Shard::Shard(std::unique_ptr<Loop> loop) noexcept : loop_(std::move(loop)) {}
Shard::~Shard() = default;

Result<bool> Shard::turn() { return loop_->turn(); }

void Shard::push_liveness(std::unique_ptr<const balance::Liveness> liveness) noexcept {
  loop_->next_liveness.put(std::move(liveness));
  loop_->wake();
}

void Shard::push_contexts(std::unique_ptr<TlsContexts> contexts) noexcept {
  static_cast<void>(loop_->used_contexts.take());
  loop_->next_contexts.put(std::move(contexts));
  loop_->wake();
}

void Shard::stop_accepting() noexcept {
  loop_->stop_wanted.store(true, std::memory_order_release);
  loop_->wake();
}

void Shard::cut_sessions() noexcept {
  loop_->stop_wanted.store(true, std::memory_order_release);
  loop_->cut_wanted.store(true, std::memory_order_release);
  loop_->wake();
}

bool Shard::listeners_released() const noexcept {
  return loop_->released.load(std::memory_order_acquire);
}

}  // namespace penstock::relay

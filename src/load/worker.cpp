// The loop: wait, complete, ring the alarms, begin what is due.
#include "worker.h"

#include <sys/resource.h>

#include <algorithm>

#include "backlog.h"

namespace penstock::load {
namespace {

constexpr std::uint32_t small_posted = 1024;
constexpr std::uint32_t large_posted = 16;
/// Small buffers that a connection can hold: received, decoded, produced, encoded, one more for the
/// answers of TLS, and a backlog with a message beyond its limit. They are address space until they
/// are used.
constexpr std::uint32_t small_each = 6 + Backlog::most_buffers + 6;
constexpr std::uint32_t most_large = 4096;

Duration thread_cpu_time() noexcept {
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) != 0) return {};
  const auto span = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return span(usage.ru_utime) + span(usage.ru_stime);
}

}  // namespace

Worker::Worker(std::unique_ptr<io::Ring> ring, std::unique_ptr<io::BufferPool> buffers,
               Slab<Connection> connections, int event_fd)
    : ring_(std::move(ring)),
      buffers_(std::move(buffers)),
      timers_(ring_->kernel().now()),
      connections_(std::move(connections)),
      event_fd_(event_fd),
      wake_op_(owner()),
      cancel_op_(owner()),
      context_{.kernel = ring_->kernel(),
               .ring = *ring_,
               .buffers = *buffers_,
               .timers = timers_,
               .now = ring_->kernel().now(),
               .ended = {},
               .make_connection =
                   [this](User& user, void* of_user) {
                     return connections_.acquire(context_, user, of_user);
                   }},
      recorder_(std::make_unique<Recorder>()) {
  ring_->wait_event(wake_op_, event_fd_);
}

Worker::~Worker() {
  PENSTOCK_ASSERT(connections_.used() == 0);
  ring_->kernel().close(event_fd_);
}

Result<std::unique_ptr<Worker>> Worker::create(io::Kernel& kernel, const WorkerOptions& options,
                                               const MakeEngines& make_engines) {
  auto ring = io::Ring::open(kernel, {.features = options.features});
  if (!ring) return std::unexpected(ring.error());
  const std::uint32_t buffers = options.connections * small_each;
  auto pool = io::BufferPool::create(**ring, {.small_count = buffers,
                                              .large_count = std::min(buffers, most_large),
                                              .small_posted = small_posted,
                                              .large_posted = large_posted});
  if (!pool) return std::unexpected(pool.error());
  auto connections = Slab<Connection>::create(options.connections);
  if (!connections) return std::unexpected(connections.error());
  const auto event_fd = kernel.open_event();
  if (!event_fd) return std::unexpected(event_fd.error());
  std::unique_ptr<Worker> worker(new Worker(  // NOLINT: the constructor is private
      std::move(*ring), std::move(*pool), std::move(*connections), *event_fd));
  auto engines = make_engines(worker->context_);
  if (!engines) return std::unexpected(engines.error());
  worker->engines_ = std::move(*engines);
  for (const auto& engine : worker->engines_) {
    engine->measure_to(*worker->recorder_);
    engine->prepare();
  }
  worker->note_progress();  // nothing may happen that would end its first turn
  return worker;
}

template <class F>
bool Worker::every_engine(F&& is) const {
  return std::ranges::all_of(engines_, [&is](const auto& engine) { return is(*engine); });
}

/// For those who ask on other threads.
void Worker::note_progress() noexcept {
  if (!prepared() && every_engine([](const Engine& each) { return each.prepared(); })) {
    prepared_.store(true, std::memory_order_release);
  }
  if (begun_ && !exhausted() && every_engine([](const Engine& each) { return each.exhausted(); })) {
    exhausted_.store(true, std::memory_order_release);
  }
}

Result<bool> Worker::turn() {
  Instant deadline = timers_.next_deadline();
  for (const auto& engine : engines_) deadline = std::min(deadline, engine->next_tick());
  if (auto waited = ring_->wait(deadline); !waited) return std::unexpected(waited.error());
  context_.now = ring_->kernel().now();
  read_inbox();
  ring_->drain([](const io::Completion& completion) {
    static_cast<OpOwner*>(completion.op.owner)->on_completion(completion);
  });
  context_.now = ring_->kernel().now();
  timers_.advance(context_.now, [](Timer& timer) { static_cast<Waiter*>(timer.owner)->on_due(); });
  for (const auto& engine : engines_) engine->tick();
  while (Connection* connection = context_.ended.pop_front()) {
    connection->user().on_closed(*connection);
    connections_.release(*connection);
  }
  note_progress();
  return !finished();
}

void Worker::on_completion(const io::Completion& completion) {
  if (completion.op.kind == io::OpKind::wake && !finishing_) {
    ring_->wait_event(wake_op_, event_fd_);
  }
}

void Worker::read_inbox() {
  if (auto next = next_recorder_.take(); next && !finishing_) hand_over(std::move(next));
  if (const std::int64_t at = begin_at_.load(std::memory_order_acquire); at != 0 && !begun_) {
    begun_ = true;
    for (const auto& engine : engines_) engine->begin(Instant(Duration(at)));
  }
  if (stop_wanted_.load(std::memory_order_acquire) && !std::exchange(stopped_, true)) {
    std::uint64_t left = 0;
    for (const auto& engine : engines_) left += engine->in_flight() + engine->waiting();
    left_at_stop_.store(left, std::memory_order_relaxed);
    for (const auto& engine : engines_) engine->stop();
  }
  if (abandon_wanted_.load(std::memory_order_acquire) && !std::exchange(abandoned_, true)) {
    for (const auto& engine : engines_) engine->abandon();
  }
}

/// `next`: null when nothing more will be measured.
void Worker::hand_over(std::unique_ptr<Recorder> next) {
  cpu_ns_.store(thread_cpu_time().count(), std::memory_order_relaxed);
  std::uint64_t waiting = 0;
  for (const auto& engine : engines_) {
    waiting += engine->waiting();
    if (next) engine->measure_to(*next);
  }
  waiting_.store(waiting, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  measured_.push_back(std::exchange(recorder_, std::move(next)));
}

/// The last request to end is the one that waits for news.
bool Worker::finished() {
  const bool done = every_engine([](const Engine& each) { return each.done(); });
  if (!stopped_ || connections_.used() > 0 || !done) return false;
  if (!std::exchange(finishing_, true)) {
    hand_over(nullptr);
    if (wake_op_.in_flight) ring_->cancel_all(cancel_op_, event_fd_);
  }
  return ring_->in_flight() == 0;
}

void Worker::begin(Instant at) noexcept {
  begin_at_.store(at.time_since_epoch().count(), std::memory_order_release);
  wake();
}

void Worker::stop() noexcept {
  stop_wanted_.store(true, std::memory_order_release);
  wake();
}

void Worker::abandon() noexcept {
  abandon_wanted_.store(true, std::memory_order_release);
  stop();
}

void Worker::cut(std::unique_ptr<Recorder> next) noexcept {
  next_recorder_.put(std::move(next));
  wake();
}

std::vector<std::unique_ptr<Recorder>> Worker::take_measured() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(measured_, {});
}

}  // namespace penstock::load

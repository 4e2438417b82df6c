// The loop around the plan: one ring, one timer wheel, one event that stop() notifies.
#include "penstock/health/checker.h"

#include <atomic>
#include <utility>

#include "penstock/base/latest.h"
#include "penstock/base/log.h"
#include "penstock/health/plan.h"
#include "penstock/health/probe.h"
#include "penstock/io/ring.h"
#include "penstock/time/timer_wheel.h"

namespace penstock::health {
namespace {

// A probe has one op out and, at its end, a cancel beside it.
constexpr std::uint32_t submission_entries = 2 * Checker::probes_at_once;
constexpr std::uint32_t completion_entries = 4 * Checker::probes_at_once;

}  // namespace

struct Checker::Parts {
  Parts(std::unique_ptr<io::Ring> its_ring, int its_event_fd, const config::Config& config,
        Plan::Contexts contexts, Options its_options)
      : options(std::move(its_options)),
        ring(std::move(its_ring)),
        event_fd(its_event_fd),
        wheel(ring->kernel().now()),
        plan({*ring, wheel}, config, std::move(contexts),
             {.seed = options.seed, .probes_at_once = probes_at_once}) {}
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  // Closed here and not when the checker ends, so that a late stop() cannot notify a descriptor of
  // somebody else.
  ~Parts() { ring->kernel().close(event_fd); }

  void begin_stop();
  void on_completion(const io::Completion& completion);
  [[nodiscard]] bool ended() const noexcept {
    return broken || (stopping && ring->in_flight() == 0);
  }

  const Options options;
  std::unique_ptr<io::Ring> ring;
  int event_fd;
  TimerWheel wheel;
  Plan plan;
  io::Op wake_op{this};
  io::Op cancel_wake_op{this};
  std::atomic<bool> stop_asked{false};
  Latest<Plan::Contexts> next_contexts;
  bool stopping = false;
  bool broken = false;
};

void Checker::Parts::begin_stop() {
  stopping = true;
  plan.abort();
  if (wake_op.in_flight) ring->cancel_all(cancel_wake_op, event_fd);
}

void Checker::Parts::on_completion(const io::Completion& completion) {
  if (&completion.op == &cancel_wake_op) return;
  if (&completion.op == &wake_op) {
    if (!stopping) ring->wait_event(wake_op, event_fd);
    return;
  }
  static_cast<Probe*>(completion.op.owner)->on_completion(completion);
}

Checker::Checker(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}

Result<std::unique_ptr<Checker>> Checker::create(io::Kernel& kernel, const config::Config& config,
                                                 Options options) {
  auto contexts = Plan::make_contexts(config);
  if (!contexts) return std::unexpected(std::move(contexts.error()));
  auto ring = io::Ring::open(kernel, {.submission_entries = submission_entries,
                                      .completion_entries = completion_entries,
                                      .features = options.features});
  if (!ring) return std::unexpected(std::move(ring.error()));
  const auto event_fd = kernel.open_event();
  if (!event_fd) return std::unexpected(event_fd.error());
  auto parts = std::make_unique<Parts>(std::move(*ring), *event_fd, config, std::move(*contexts),
                                       std::move(options));
  parts->ring->wait_event(parts->wake_op, parts->event_fd);
  parts->plan.begin(kernel.now());
  return std::unique_ptr<Checker>(
      new Checker(std::move(parts)));  // NOLINT: the constructor is private
}

Checker::~Checker() {
  stop();
  while (turn()) {
  }
  // Over a broken ring nobody can tell whether the kernel still writes into a probe's memory: it
  // has to stay.
  if (parts_->broken && parts_->ring->in_flight() > 0) static_cast<void>(parts_.release());
}

void Checker::stop() noexcept {
  parts_->stop_asked.store(true, std::memory_order_release);
  parts_->ring->kernel().notify(parts_->event_fd);
}

void Checker::push_contexts(std::unique_ptr<Plan::Contexts> contexts) noexcept {
  parts_->next_contexts.put(std::move(contexts));
  parts_->ring->kernel().notify(parts_->event_fd);
}

bool Checker::turn() {
  Parts& parts = *parts_;
  if (auto contexts = parts.next_contexts.take()) parts.plan.use(std::move(*contexts));
  if (!parts.stopping && parts.stop_asked.load(std::memory_order_acquire)) parts.begin_stop();
  if (parts.ended()) return false;
  if (const auto waited = parts.ring->wait(parts.wheel.next_deadline()); !waited) {
    log::error("health checks have ended, all backends keep their state: {}",
               waited.error().message);
    parts.broken = true;
    return false;
  }
  parts.ring->drain([&](const io::Completion& completion) { parts.on_completion(completion); });
  const Instant now = parts.ring->kernel().now();
  parts.wheel.advance(now, [&](Timer& timer) { parts.plan.fired(timer, now); });
  parts.plan.start_due(now);
  if (parts.plan.take_change() && parts.options.on_change)
    parts.options.on_change(parts.plan.liveness());
  parts.plan.tell_changes();
  return !parts.ended();
}

}  // namespace penstock::health

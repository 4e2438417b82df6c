// When to probe whom, and what the findings mean. Times count from the start of a probe, so that a
// slow backend is not probed less often than a fast one.
#include "penstock/health/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "penstock/base/log.h"
#include "penstock/base/split_mix.h"

namespace penstock::health {
namespace {

constexpr Duration undecided_interval = 250ms;
constexpr Duration shortage_log_interval = 10s;

}  // namespace

Duration Random::below(Duration limit) noexcept {
  if (limit <= Duration::zero()) return Duration::zero();
  const auto number = split_mix(state_) % static_cast<std::uint64_t>(limit.count());
  return Duration(static_cast<Duration::rep>(number));
}

Plan::Check::Check(Plan& its_plan, const config::Pool& its_pool, const Dialect& dialect,
                   const config::Backend& its_backend) noexcept
    : plan(its_plan),
      pool(its_pool),
      health(*its_pool.health),
      backend(its_backend),
      verdict({.rise = health.rise, .fall = health.fall}),
      probe(*this, its_plan.environment_, dialect, its_backend) {
  probe.timer().owner = this;
}

Result<Plan::Contexts> Plan::make_contexts(const config::Config& config) {
  Contexts contexts(config.pools.size());
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    const config::Pool& pool = config.pools[i];
    if (!pool.health || !pool.tls) continue;
    auto context = tls::Context::create_client(pool.tls->options);
    if (!context) return fail("pool " + pool.name + ": " + context.error().message);
    contexts[i] = std::move(*context);
  }
  return contexts;
}

Plan::Plan(const Probe::Environment& environment, const config::Config& config, Contexts contexts,
           const Options& options)
    : environment_(environment),
      random_(options.seed),
      slots_free_(options.probes_at_once),
      liveness_(config.backend_count()),
      contexts_(std::move(contexts)) {
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const config::Pool& pool = config.pools[i];
    if (!pool.health) continue;
    const Dialect& dialect = dialects_.emplace_back(
        &*pool.health, &contexts_[i], pool.tls ? pool.tls->server_name : std::string());
    for (const config::Backend& backend : pool.backends)
      checks_.emplace_back(*this, pool, dialect, backend);
  }
}

void Plan::use(Contexts contexts) {
  PENSTOCK_ASSERT(contexts.size() == contexts_.size());
  std::ranges::move(contexts, contexts_.begin());  // dialects refer to the elements
}

void Plan::begin(Instant now) {
  for (Check& check : checks_) {
    const Duration spread = std::min(undecided_interval, check.health.interval);
    environment_.wheel.schedule(check.probe.timer(), now + random_.below(spread));
  }
}

void Plan::fired(Timer& timer, Instant now) {
  Check& check = *static_cast<Check*>(timer.owner);
  if (check.probe.running()) {
    check.probe.on_deadline(now);
  } else {
    due_.push_back(check);
  }
}

void Plan::start_due(Instant now) {
  // A probe that cannot even begin gives its slot back at once and is scheduled again, so this
  // ends.
  while (slots_free_ > 0 && !aborted_) {
    Check* check = due_.pop_front();
    if (check == nullptr) return;
    if (idle_scratch_.empty()) idle_scratch_.push_back(&scratch_.emplace_back());
    check->scratch = idle_scratch_.back();
    idle_scratch_.pop_back();
    --slots_free_;
    check->started = now;
    check->probe.start(*check->scratch, now);
  }
}

void Plan::abort() {
  aborted_ = true;
  while (due_.pop_front() != nullptr) {
  }
  for (Check& check : checks_) {
    if (check.probe.running()) {
      check.probe.abort();
    } else {
      environment_.wheel.cancel(check.probe.timer());
    }
  }
}

void Plan::decided(Check& check, const Outcome& outcome) {
  if (!counts(outcome)) {
    tell_shortage(check, outcome);
    return;
  }
  if (check.verdict.probed(outcome.passed)) {
    liveness_.set(check.backend.id, check.verdict.up());
    changed_ = true;
    note_change(check, outcome);
  } else if (check.verdict.streak() > 0) {
    log::debug("{}/{}: {}, {} of {}", check.pool.name, check.backend.name, evidence(outcome),
               check.verdict.streak(), outcome.passed ? check.health.rise : check.health.fall);
  }
}

void Plan::closed(Check& check) {
  idle_scratch_.push_back(std::exchange(check.scratch, nullptr));
  ++slots_free_;
  if (aborted_) return;
  environment_.wheel.schedule(check.probe.timer(), check.started + wait_of(check));
}

Duration Plan::wait_of(const Check& check) noexcept {
  const Duration interval = check.health.interval;
  if (!check.verdict.decided()) return std::min(undecided_interval, interval);
  return interval - interval / 10 + random_.below(interval / 5);
}

void Plan::note_change(const Check& check, const Outcome& outcome) {
  const bool up = check.verdict.up();
  const log::Level level = up ? log::Level::info : log::Level::warn;
  if (!log::enabled(level)) return;
  untold_.push_back({.level = level,
                     .text = describe({.pool = check.pool.name,
                                       .backend = check.backend.name,
                                       .up = up,
                                       .probes = up ? check.health.rise : check.health.fall},
                                      outcome)});
}

void Plan::tell_changes() {
  for (const Line& line : untold_) log::write(line.level, line.text);
  untold_.clear();
}

void Plan::tell_shortage(const Check& check, const Outcome& outcome) {
  ++probes_missed_;
  if (shortage_told_ != Instant{} && check.started < shortage_told_ + shortage_log_interval) return;
  log::warn("health checks: {}; {} probes could not be made, their backends keep their state",
            evidence(outcome), probes_missed_);
  probes_missed_ = 0;
  shortage_told_ = check.started;
}

}  // namespace penstock::health

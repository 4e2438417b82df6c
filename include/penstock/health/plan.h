// Plan: all checks of the process: when each backend's turn comes, how many probes run at once, and
// what their findings add up to. A backend that is due while all slots are taken waits in a queue,
// first come first served, so that the number of descriptors has a bound whatever the size of the
// fleet. Belongs to the checker's thread; told the time by it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "penstock/balance/liveness.h"
#include "penstock/base/intrusive_list.h"
#include "penstock/base/log.h"
#include "penstock/base/result.h"
#include "penstock/config/config.h"
#include "penstock/health/probe.h"
#include "penstock/health/verdict.h"
#include "penstock/io/ring.h"
#include "penstock/time/timer_wheel.h"

namespace penstock::health {

/// A small generator (splitmix64) with the same sequence in every build, which the standard's
/// distributions do not promise. Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom
/// Number Generators", OOPSLA 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  /// At least zero and below `limit`; zero when there is nothing below it.
  [[nodiscard]] Duration below(Duration limit) noexcept;

 private:
  std::uint64_t state_;
};

class Plan {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::uint32_t probes_at_once = 1;
  };
  /// By PoolId; null where nothing is checked or the backends take plaintext.
  using Contexts = std::vector<std::unique_ptr<tls::Context>>;
  /// Errors: OpenSSL refuses a pool's settings.
  [[nodiscard]] static Result<Contexts> make_contexts(const config::Config& config);
  /// `config` must outlive it.
  Plan(const Probe::Environment& environment, const config::Config& config, Contexts contexts,
       const Options& options);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// Probes that begin from here on use these; of the same configuration.
  void use(Contexts contexts);
  /// Schedules the first probes, spread, so that a large fleet is not met with a burst.
  void begin(Instant now);
  /// A timer of the plan is due.
  void fired(Timer& timer, Instant now);
  /// Starts probes for backends that are due, as far as there is room. Once per turn, after
  /// completions and timers.
  void start_due(Instant now);
  /// Ends running probes without a finding and starts no more. Idle when nothing is in flight on
  /// the ring.
  void abort();

  /// True once after every change of a verdict.
  [[nodiscard]] bool take_change() noexcept { return std::exchange(changed_, false); }
  /// Logs the changes since the last call with their evidence. Call it once the new liveness is in
  /// force, so that what a line says is true when it is read.
  void tell_changes();
  [[nodiscard]] const balance::Liveness& liveness() const noexcept { return liveness_; }

 private:
  struct QueueTag;
  // One checked backend: its probe, what the probes have shown so far, and when the last one began.
  struct Check final : ProbeHost, ListHook<QueueTag> {
    Check(Plan& its_plan, const config::Pool& its_pool, const Dialect& dialect,
          const config::Backend& its_backend) noexcept;
    void decided(const Outcome& outcome) override { plan.decided(*this, outcome); }
    void closed() override { plan.closed(*this); }

    Plan& plan;
    const config::Pool& pool;
    const config::Health& health;
    const config::Backend& backend;
    Verdict verdict;
    Probe probe;
    Scratch* scratch = nullptr;
    Instant started{};
  };

  struct Line {
    log::Level level;
    std::string text;
  };

  void decided(Check& check, const Outcome& outcome);
  void closed(Check& check);
  [[nodiscard]] Duration wait_of(const Check& check) noexcept;
  void note_change(const Check& check, const Outcome& outcome);
  void tell_shortage(const Check& check, const Outcome& outcome);

  Probe::Environment environment_;
  Random random_;
  std::uint32_t slots_free_;
  balance::Liveness liveness_;
  Contexts contexts_;
  std::deque<Dialect> dialects_;  // of the pools that are checked
  std::deque<Check> checks_;      // deques: the kernel and the timer wheel hold addresses
  std::deque<Scratch> scratch_;   // as many as ever ran at once
  std::vector<Scratch*> idle_scratch_;
  IntrusiveList<Check, QueueTag> due_;
  std::vector<Line> untold_;
  bool changed_ = false;
  bool aborted_ = false;
  Instant shortage_told_{};
  std::uint64_t probes_missed_ = 0;
};

}  // namespace penstock::health

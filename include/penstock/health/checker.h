// Checker: every health check of the process, on a ring and a thread of its own. It probes each
// backend of each pool that has a `health` table, and on every change of a verdict calls
// `on_change` with the new Liveness (the supervisor's callback pushes it into the shards) and logs
// the evidence. Running sessions are none of its business. turn() instead of run(), so that the
// simulator can drive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "penstock/balance/liveness.h"
#include "penstock/base/result.h"
#include "penstock/config/config.h"
#include "penstock/health/plan.h"
#include "penstock/io/features.h"
#include "penstock/io/kernel.h"

namespace penstock::health {

class Checker {
 public:
  /// How many probes run at the same time, and so how many descriptors the checks need at most.
  static constexpr std::uint32_t probes_at_once = 256;

  struct Options {
    io::FeatureSet features;
    std::uint64_t seed = 0;  ///< of the interval's jitter
    /// Called on the checker's thread after each turn() in which a verdict changed. May be empty.
    std::function<void(const balance::Liveness&)> on_change;
  };
  /// Construct it on the thread that will call turn(). `kernel` and `config` must outlive it.
  /// Error: the ring or its event cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<Checker>> create(io::Kernel& kernel,
                                                               const config::Config& config,
                                                               Options options);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  /// Stops and waits for what is in flight. On the thread that calls turn(); nobody may call stop()
  /// any more.
  ~Checker();

  /// Probes that begin once this is seen use these, see Plan::make_contexts(). Any thread.
  void push_contexts(std::unique_ptr<Plan::Contexts> contexts) noexcept;
  /// Makes the turn() that waits return and the next ones end the probes. Any thread, also more
  /// than once.
  void stop() noexcept;
  /// One loop turn: waits for the next completion or deadline. False when the checker has ended: it
  /// was stopped and nothing is in flight any more, or the ring broke (which it has logged; all
  /// verdicts then stay as they are).
  [[nodiscard]] bool turn();

 private:
  struct Parts;
  explicit Checker(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::health

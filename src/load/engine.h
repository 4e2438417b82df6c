// Engine: what a worker is busy with: a kind of load, or a kind of server. A worker turns several
// at once over one ring.
#pragma once

#include "context.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Opens what has to be there before anything is measured.
  virtual void prepare() = 0;
  /// Everything that was to be opened is, or has failed.
  [[nodiscard]] virtual bool prepared() const noexcept = 0;
  /// Operations begin at `at`.
  virtual void begin(Instant at) = 0;
  /// When tick() is wanted next; `never`: not before something happens.
  [[nodiscard]] virtual Instant next_tick() const noexcept = 0;
  virtual void tick() = 0;
  /// No operation begins from now on; those under way and those that wait are done.
  virtual void stop() = 0;
  /// Ends what is still under way, as unfinished.
  virtual void abandon() = 0;
  /// Nothing is under way and nothing waits, after stop().
  [[nodiscard]] virtual bool done() const noexcept = 0;
  /// Everything that was to begin has, and has ended: the run may stop early.
  [[nodiscard]] virtual bool exhausted() const noexcept { return false; }

  /// Where it measures to from now on; borrowed.
  virtual void measure_to(Recorder& /*recorder*/) {}
  /// Operations that were to begin and have not, for want of a connection.
  [[nodiscard]] virtual std::uint64_t waiting() const noexcept { return 0; }
  /// Operations that have begun and have not ended.
  [[nodiscard]] virtual std::uint64_t in_flight() const noexcept { return 0; }
};

}  // namespace penstock::load

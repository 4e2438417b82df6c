// Worker: a thread's loop of the load tool: a ring, buffers, timers, connections, and the engines
// that use them. Construct it and call turn() on one thread; the coordinator talks to it through
// the functions that say so.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "connection.h"
#include "engine.h"
#include "penstock/base/latest.h"
#include "penstock/base/slab.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

struct WorkerOptions {
  io::FeatureSet features;
  std::uint32_t connections = 1;  ///< at once, those that close included
};

class Worker final : private OpOwner {
 public:
  using Engines = std::vector<std::unique_ptr<Engine>>;
  using MakeEngines = std::function<Result<Engines>(Context&)>;

  /// Error: the ring or the memory cannot be had, or what `make_engines` says.
  [[nodiscard]] static Result<std::unique_ptr<Worker>> create(io::Kernel& kernel,
                                                              const WorkerOptions& options,
                                                              const MakeEngines& make_engines);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() override;

  /// Waits for something to happen and handles it. False once everything is done after stop().
  /// Error: the ring is broken.
  [[nodiscard]] Result<bool> turn();

  // From any thread:

  /// Every engine is prepared.
  [[nodiscard]] bool prepared() const noexcept { return prepared_.load(std::memory_order_acquire); }
  /// Every engine has done all that it was to do.
  [[nodiscard]] bool exhausted() const noexcept {
    return exhausted_.load(std::memory_order_acquire);
  }
  void begin(Instant at) noexcept;
  void stop() noexcept;
  void abandon() noexcept;
  /// Asks for what was measured so far; it can be had with take_measured() a little later. What is
  /// measured from then on goes to `next`, which is made here and not while there is something to
  /// measure: making one takes half a millisecond.
  void cut(std::unique_ptr<Recorder> next) noexcept;
  [[nodiscard]] std::vector<std::unique_ptr<Recorder>> take_measured();
  /// CPU time that the worker's thread has used until its last cut.
  [[nodiscard]] Duration cpu_time() const noexcept {
    return Duration(cpu_ns_.load(std::memory_order_relaxed));
  }
  /// Operations that waited for a connection at the last cut.
  [[nodiscard]] std::uint64_t waiting() const noexcept {
    return waiting_.load(std::memory_order_relaxed);
  }
  /// Operations that had begun or waited, and had not ended, when stop() was seen.
  [[nodiscard]] std::uint64_t left_at_stop() const noexcept {
    return left_at_stop_.load(std::memory_order_relaxed);
  }

 private:
  Worker(std::unique_ptr<io::Ring> ring, std::unique_ptr<io::BufferPool> buffers,
         Slab<Connection> connections, int event_fd);
  void on_completion(const io::Completion& completion) override;
  void note_progress() noexcept;
  void read_inbox();
  void hand_over(std::unique_ptr<Recorder> next);
  template <class F>
  [[nodiscard]] bool every_engine(F&& is) const;
  void wake() noexcept { ring_->kernel().notify(event_fd_); }
  [[nodiscard]] bool finished();

  std::unique_ptr<io::Ring> ring_;
  std::unique_ptr<io::BufferPool> buffers_;
  TimerWheel timers_;
  Slab<Connection> connections_;
  int event_fd_;
  io::Op wake_op_;
  io::Op cancel_op_;
  Context context_;
  Engines engines_;
  std::unique_ptr<Recorder> recorder_;
  bool begun_ = false;
  bool stopped_ = false;
  bool abandoned_ = false;
  bool finishing_ = false;

  std::atomic<bool> prepared_{false};
  std::atomic<bool> exhausted_{false};
  std::atomic<std::int64_t> begin_at_{0};  // since the clock's start; 0: not yet
  std::atomic<bool> stop_wanted_{false};
  std::atomic<bool> abandon_wanted_{false};
  Latest<Recorder> next_recorder_;
  std::atomic<std::int64_t> cpu_ns_{0};
  std::atomic<std::uint64_t> waiting_{0};
  std::atomic<std::uint64_t> left_at_stop_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Recorder>> measured_;  // under mutex_
};

}  // namespace penstock::load

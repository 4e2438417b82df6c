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
#include "penstock/base/slab.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

struct WorkerOptions {
  io::FeatureSet features;
  std::uint32_t connections = 1;  ///< at once, those that close included
};

/// What engines get from their worker.
struct Workshop {
  Context& context;
  /// A place for a connection; null when all are taken.
  std::function<Connection*(User& user, void* of_user)> make_connection;
};

/// An engine of a worker, and how it is told where to measure to.
struct Equipment {
  std::unique_ptr<Engine> engine;
  std::function<void(Recorder&)> measure_to;
};

class Worker {
 public:
  using Equip = std::function<Result<std::vector<Equipment>>(const Workshop&)>;

  /// Error: the ring or the memory cannot be had, or what `equip` says.
  [[nodiscard]] static Result<std::unique_ptr<Worker>> create(io::Kernel& kernel,
                                                              const WorkerOptions& options,
                                                              const Equip& equip);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

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
  /// Asks for what was measured so far; it can be had with take_measured() a little later.
  void cut() noexcept;
  [[nodiscard]] std::vector<std::unique_ptr<Recorder>> take_measured();
  /// CPU time that the worker's thread has used until its last cut.
  [[nodiscard]] Duration cpu_time() const noexcept {
    return Duration(cpu_ns_.load(std::memory_order_relaxed));
  }

 private:
  Worker(std::unique_ptr<io::Ring> ring, std::unique_ptr<io::BufferPool> buffers,
         Slab<Connection> connections, int event_fd);
  void note_prepared() noexcept;
  void read_inbox();
  void hand_over();
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
  std::vector<Equipment> equipment_;
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
  std::atomic<bool> cut_wanted_{false};
  std::atomic<std::int64_t> cpu_ns_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Recorder>> measured_;  // under mutex_
};

}  // namespace penstock::load

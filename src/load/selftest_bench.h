// Bench: what the checks of `penstock-load selftest` measure with: a client and a server in this
// process, other programs as children, and the end of it all at a signal. The main thread's.
#pragma once

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "coordinator.h"
#include "interruptions.h"
#include "penstock/base/unique_fd.h"
#include "penstock/io/linux_kernel.h"
#include "run_options.h"
#include "selftest_figures.h"
#include "serving.h"

namespace penstock::load {

class Bench {
 public:
  /// `duration`: of each measurement.
  Bench(Signals& signals, Duration duration) noexcept
      : interruptions_(signals), duration_(duration) {}

  [[nodiscard]] Duration duration() const noexcept { return duration_; }
  [[nodiscard]] Instant now() noexcept { return kernel_.now(); }
  /// SIGINT or SIGTERM has come: what is measured is not to be told any more.
  [[nodiscard]] bool interrupted() noexcept { return interruptions_.count() > 0; }
  /// Waits until there is something to read from `fd` (-1: from nowhere), or its end. False: the
  /// limit has come, or a signal.
  [[nodiscard]] bool readable(int fd, Instant limit);
  /// The tool as it is, without its outputs. Adds the target's text to the options.
  [[nodiscard]] Result<RunResult> run(RunOptions& options);

 private:
  Interruptions interruptions_;
  Duration duration_;
  io::LinuxKernel kernel_;
};

/// What both sides of a run have seen.
struct Encounter {
  RunResult client;
  Served server;
  Histogram delays;  ///< that the server has really taken
};
/// A run against a server of our own on a port of its own, which it sets as the target. Error: one
/// of them could not begin, or the server did not come to its end.
[[nodiscard]] Result<Encounter> meet(Bench& bench, ServeOptions serve, RunOptions& run);

/// Keeps threads that are made while it lives on one CPU: they begin where their maker may be.
class Confined {
 public:
  explicit Confined(int cpu) noexcept;
  Confined(const Confined&) = delete;
  Confined& operator=(const Confined&) = delete;
  ~Confined();

 private:
  cpu_set_t before_{};
  bool known_;
};

/// An address of this machine that no other program listens on.
[[nodiscard]] Endpoint any_loopback_port();
/// The rr mode at a steady rate.
[[nodiscard]] RunOptions open_loop(const Bench& bench, double per_second);
/// So many operations, one after another.
[[nodiscard]] RunOptions closed_loop(std::uint64_t operations);

/// Another program, which ends with us.
class Child {
 public:
  /// `cpu`: the only one that it may use. Error: it cannot be started.
  [[nodiscard]] static Result<Child> start(const std::vector<std::string>& command,
                                           std::optional<int> cpu = std::nullopt);
  Child(Child&& from) noexcept;
  Child& operator=(Child&&) = delete;
  /// Kills it, if it still runs, and waits for its end.
  ~Child();

  /// The next line of its output, without the newline. Error: it ended, or did not say one in time.
  [[nodiscard]] Result<std::string> read_line(Bench& bench, Instant limit);
  /// What else it says until it ends. Error: it did not end in time.
  [[nodiscard]] Result<std::string> read_all(Bench& bench, Instant limit);
  /// Returns when it has stopped. False: it has not.
  [[nodiscard]] bool stop() const noexcept;
  void go_on() const noexcept;
  /// Ends it, which has said all that it had to, and says how much CPU time it has used.
  [[nodiscard]] Duration finish() noexcept;

 private:
  Child(int pid, UniqueFd output) noexcept : pid_(pid), output_(std::move(output)) {}
  /// False at the end of the output.
  [[nodiscard]] Result<bool> read_some(Bench& bench, Instant limit);

  int pid_;
  UniqueFd output_;
  std::string unread_;
};

/// "load average 0.42": what else this machine has to do, for a table's head.
[[nodiscard]] std::string load_average_text();

/// The first of that name in PATH; empty: there is none.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace penstock::load

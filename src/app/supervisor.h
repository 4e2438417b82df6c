// Supervisor: the process. It turns a configuration into listening sockets, routings, shards and
// the health checker, waits for signals on the main thread, and takes everything down in order:
// stop accepting, let sessions end, join. It touches no connection itself. `penstock run` and
// `penstock demo` are both one Supervisor with a Config.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "failure_teller.h"
#include "file_watch.h"
#include "listening_sockets.h"
#include "penstock/app/access_log.h"
#include "penstock/base/line_output.h"
#include "penstock/base/own_thread.h"
#include "penstock/base/signals.h"
#include "penstock/config/config.h"
#include "penstock/health/checker.h"
#include "penstock/io/linux_kernel.h"
#include "penstock/relay/routing.h"
#include "penstock/relay/shard.h"
#include "penstock/stats/counters.h"

namespace penstock::app {

/// Why a process did not start, and the exit code that says so.
struct StartError {
  int exit_code = 1;
  std::string message;
};

class Supervisor {
 public:
  struct Options {
    bool counters_at_end = true;  ///< print the counters when run() ends
  };
  /// `signals` must outlive it.
  Supervisor(Signals& signals, config::Config config, const Options& options);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// Ends what start() began, sessions included, when run() has not.
  ~Supervisor();

  /// Opens everything and logs `ready` once every shard accepts. Once. On an error nothing listens
  /// any more, and what was begun ends with the destructor.
  [[nodiscard]] std::expected<void, StartError> start();
  /// Serves until SIGTERM or SIGINT, then ends in order. Returns the exit code. Once, after
  /// start().
  [[nodiscard]] int run();

  [[nodiscard]] const std::vector<ListeningSockets::Address>& addresses() const noexcept {
    return sockets_.addresses();
  }
  /// One per shard; may be read from any thread while the supervisor lives.
  [[nodiscard]] std::span<const std::unique_ptr<stats::ShardCounters>> counters() const noexcept {
    return counters_;
  }

 private:
  enum class Phase : std::uint8_t {
    serving,
    refusing,   ///< new connections are refused, handshakes on their way may still finish
    releasing,  ///< shards serve what is queued and give the listening sockets back
    ending,     ///< sessions end by themselves
    cutting,    ///< sessions are being aborted
  };
  using ShardThread = OwnThread<relay::Shard>;
  using HealthThread = OwnThread<health::Checker>;

  // supervisor_start.cpp, in this order
  [[nodiscard]] std::expected<void, StartError> probe_kernel();
  [[nodiscard]] std::expected<void, StartError> plan_capacity();
  [[nodiscard]] std::expected<void, StartError> open_outputs();
  [[nodiscard]] std::expected<void, StartError> open_sockets();
  [[nodiscard]] std::expected<void, StartError> start_shards();
  [[nodiscard]] std::expected<void, StartError> start_health();
  [[nodiscard]] std::expected<void, StartError> watch_tls_files();
  [[nodiscard]] std::unique_ptr<ShardThread> make_shard(ShardId id);

  // supervisor_tls.cpp, on the thread of tls_files_
  [[nodiscard]] std::vector<std::string> renew_tls();
  [[nodiscard]] Result<void> use_tls(const config::Config& renewed);
  void tell_expiry();

  void wait();
  void take_signals();
  void on_stop_signal(int number);
  void begin_stop(int number);
  void look_at_shards();
  void pass_deadlines();
  void cut(std::string_view why);
  void take_down();
  [[nodiscard]] int finish();
  [[noreturn]] void give_up();

  [[nodiscard]] Instant next_deadline() const noexcept;
  [[nodiscard]] bool shards_ended() const noexcept;
  [[nodiscard]] std::uint64_t active_sessions() const noexcept;
  [[nodiscard]] std::uint64_t cut_sessions() const noexcept;
  void print_counters();

  Signals& signals_;
  const config::Config config_;
  const Options options_;
  io::LinuxKernel kernel_;
  LineOutput standard_output_;
  UniqueFd event_;  // shards and their threads notify it
  io::FeatureSet features_;
  std::vector<int> cpus_;
  std::uint32_t shard_count_ = 1;
  std::uint32_t max_connections_ = 0;
  std::atomic<std::uint32_t> process_sessions_{0};
  std::optional<io::PipeBudget> pipe_budget_;
  std::vector<std::unique_ptr<relay::Inbox>> inboxes_;  // by shard; none with one, or hand_over off
  stats::Names names_;
  std::vector<std::unique_ptr<stats::ShardCounters>> counters_;
  std::vector<std::unique_ptr<const relay::Routing>> routings_;
  std::vector<std::unique_ptr<relay::TlsContexts>> contexts_;  // until a shard is made

  // Destroyed in the opposite order: new certificates are pushed into shards and health checks,
  // health pushes into shards, shards write records and use sockets.
  ListeningSockets sockets_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<FailureTeller> failures_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::unique_ptr<HealthThread> health_;
  std::unique_ptr<const config::Config> renewed_;  // what is in use of TLS, once files have changed
  std::unique_ptr<FileWatch> tls_files_;

  Phase phase_ = Phase::serving;
  int exit_code_ = 0;
  Instant release_at_ = never;  // refusing ends
  Instant cut_at_ = never;      // shutdown_timeout
  Instant give_up_at_ = never;  // cutting has to have ended
};

}  // namespace penstock::app

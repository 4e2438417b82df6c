// World: everything around production's shards for one seed: clients (plain and TLS), backends, the
// network, production's health checker or a stand-in for it, and a supervisor that stops accepting
// and cuts sessions at moments of the seed's choice. run() asserts what has to hold at every turn
// and, when all is over, what has to hold then.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "penstock/health/checker.h"
#include "penstock/relay/shard.h"
#include "remote_end.h"
#include "sim_kernel.h"
#include "tally.h"

namespace penstock::sim {

/// How a backend that is up treats connections.
enum class Mood : std::uint8_t { serves, refuses, unreachable, silent };

/// What the seed made of this run; the rest is drawn on the way.
struct Setup {
  std::size_t shards = 1;
  std::size_t clients = 20;
  std::size_t sources = 8;  ///< client addresses
  std::uint32_t max_connections = 64;
  bool faulty = true;
  bool flapping = false;                 ///< backends go down and come back, liveness follows
  bool tls = false;                      ///< some clients speak TLS
  bool backend_tls = false;              ///< so is the pool
  std::optional<config::Health> health;  ///< liveness comes from production's checker
  Duration handshake_timeout = 10s;
  Duration idle_timeout = 10min;
  Duration connect_timeout = 3s;
  int connect_tries = 3;
  balance::HashKey hash_key = balance::HashKey::source_ip;
  std::optional<relay::SpliceRules> splice;
  bool hand_over = false;
  std::uint32_t even_enough = 2;
  Duration active_time = 4s;           ///< until then clients come and things go wrong
  std::optional<Duration> stop_after;  ///< stop_accepting comes early
  std::optional<Duration> cut_after;
};

class World {
 public:
  /// With a trace on stdout of everything that passes between the shards and their kernel.
  /// A fuzzer's bytes, which are borrowed, decide before the seed does, for as long as they last.
  explicit World(std::uint64_t seed, bool traced = false, std::span<const std::uint8_t> first = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Tally run();

 private:
  struct Backend {
    Endpoint at;
    Mood mood = Mood::serves;
    Listener* listener = nullptr;  ///< null while it does not serve
    CheckAnswer check_answer = CheckAnswer::passes;
  };
  struct Client {
    Endpoint from;
    Endpoint to;
    bool to_tls = false;
    bool refused = false;  ///< never connected
    RemoteEnd* end = nullptr;
    std::optional<stats::SessionRecord> record;
    Instant connected{};  ///< it was in the listener's queue from then on
    Instant began{};      ///< of its session
  };

  // world_setup.cpp
  void draw_setup();
  void draw_faults();
  void make_backends();
  void make_routing();
  [[nodiscard]] std::unique_ptr<relay::TlsContexts> make_contexts() const;
  void make_listeners();
  void make_shards();
  void make_checker();
  void plan_clients();
  void plan_supervisor();
  void flap_later(std::size_t backend);
  [[nodiscard]] Script draw_script(bool is_client, bool speaks_tls);
  void draw_tls(Script& script);
  [[nodiscard]] Endpoint draw_source();

  void serve(Backend& backend);
  void push_liveness();
  void connect(Client& client);
  RemoteEnd& add_end(Stream& stream, const Script& script, bool is_client);
  void calm_down();
  void set_shortage(bool begins);
  void stop_accepting();
  void turn(std::size_t shard);
  void turn_checker();
  void close_listeners(std::size_t shard);
  void take_record(const stats::SessionRecord& record);

  // oracles.cpp
  void check_turn();
  void check_inboxes();
  void check_flow();
  void check_flow(const Stream& from, const Stream& to) const;
  /// Prints how far everybody has come.
  void describe();
  void check_record(const stats::SessionRecord& record);
  void check_idle(const Client& client) const;
  void check_times(const Client& client) const;
  void check_choice(const stats::SessionRecord& record);
  [[nodiscard]] std::optional<BackendId> choice(balance::Key key, const balance::Liveness& liveness,
                                                std::uint32_t tries) const;
  void check_end();
  void check_ends();
  void check_streams(const RemoteEnd& from, const RemoteEnd& to) const;
  void check_session(const Client& client);
  void check_reset(const Client& client, const RemoteEnd& gone, const RemoteEnd& stayed);
  void check_verdicts();
  void check_counters();
  void check_accept_errors();
  void check_dials();
  [[nodiscard]] std::vector<const RemoteEnd*> servers_of(const RemoteEnd& client) const;

  std::uint64_t seed_;
  std::string context_;  // printed with a failed assertion
  SimKernel kernel_;
  Random& random_;
  Setup setup_;
  std::vector<Backend> backends_;
  relay::Routing routing_;
  std::atomic<std::uint32_t> process_sessions_{0};
  io::PipeBudget pipe_budget_;
  std::vector<std::unique_ptr<relay::Inbox>> inboxes_;
  std::vector<Instant> inbox_since_;  // something is in it; never: nothing
  std::vector<std::unique_ptr<stats::ShardCounters>> counters_;
  std::vector<std::unique_ptr<stats::RecordRing>> records_;
  std::vector<std::unique_ptr<relay::Shard>> shards_;
  std::unique_ptr<config::Config> config_;  // of the checker
  std::unique_ptr<health::Checker> checker_;
  std::vector<std::vector<int>> listeners_;  // of each shard: its own sockets
  int unix_listener_ = -1;                   // of all shards
  std::vector<Endpoint> binds_;              // by ListenerId: plain, unix, TLS
  std::vector<Client> clients_;
  std::vector<std::unique_ptr<RemoteEnd>> ends_;  // by id - 1
  std::vector<bool> is_client_;                   // by id - 1
  std::vector<std::pair<Instant, balance::Liveness>> pushed_;
  balance::Liveness liveness_;
  Instant calm_at_{};
  Instant flow_checked_{};
  bool calm_ = false;
  bool stopping_ = false;
  bool cut_ = false;
  bool traced_ = false;
  Tally tally_;
};

}  // namespace penstock::sim

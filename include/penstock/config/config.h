// Config: the configuration as an immutable value that cannot hold a bad one. load() turns a TOML
// file into it or into all its errors at once, each with its place. DESIGN section 4 is the
// contract; conf/example.toml shows every key.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/balance/hash.h"
#include "penstock/base/ids.h"
#include "penstock/base/log.h"
#include "penstock/io/features.h"
#include "penstock/net/endpoint.h"
#include "penstock/time/instant.h"
#include "penstock/tls/client.h"
#include "penstock/tls/context.h"

namespace penstock::config {

/// Where a connection goes whose ClientHello asks for one of these names and offers one of these
/// protocols.
struct Route {
  std::vector<std::string> server_names;  ///< in lower case, "*." for one label; empty: any
  std::vector<std::string> protocols;     ///< ALPN; empty: any
  bool passthrough = false;               ///< not decrypted
  PoolId pool;
};

struct Listener {
  std::string name;
  std::vector<Endpoint> bind;  ///< at least one
  std::vector<Route> routes;   ///< the first that matches wins; with them the ClientHello is read
  std::optional<PoolId> pool;  ///< without a route; absent: such a connection is closed
  std::optional<tls::ServerOptions> tls;  ///< absent: plain TCP
  int backlog = 4096;
  std::optional<mode_t> mode;        ///< of unix sockets
  Duration handshake_timeout = 10s;  ///< absolute, from accept; zero: none
  Duration idle_timeout = 10min;     ///< no byte either way; zero: none
  Duration keepalive = 60s;          ///< both legs; zero: the kernel's default
  Duration user_timeout = 60s;       ///< TCP_USER_TIMEOUT, both legs; zero: off
};

enum class HealthType : std::uint8_t { tcp, http };

struct StatusRange {
  int first = 200;
  int last = 399;
};

struct Health {
  HealthType type = HealthType::tcp;
  std::string path = "/";
  std::string host;  ///< empty: the backend's address
  std::vector<StatusRange> expect = {{200, 399}};
  Duration interval = 2s;  ///< ±10 %
  Duration timeout = 1s;
  int rise = 2;
  int fall = 3;
};

struct Backend {
  BackendId id;      ///< process-wide, dense from 0
  std::string name;  ///< unique in the pool
  Endpoint address;
  std::uint32_t weight = 1;
};

/// TLS towards the backends of a pool.
struct BackendTls {
  tls::ClientOptions options;
  std::string server_name;  ///< asked for and verified; empty: each backend's address is verified
};

struct Pool {
  std::string name;
  balance::HashKey hash_key = balance::HashKey::source_ip;
  Duration connect_timeout = 3s;  ///< per try; zero: the kernel's
  int connect_tries = 3;          ///< different backends
  std::uint32_t table_size = 65537;
  std::optional<BackendTls> tls;  ///< absent: plaintext
  std::optional<Health> health;   ///< absent: always alive
  std::vector<Backend> backends;  ///< at least one
};

struct Process {
  std::optional<std::uint32_t> shards;  ///< absent: one per CPU of the affinity mask ("auto")
  bool pin = true;
  std::optional<std::uint32_t> max_connections;  ///< absent: what RLIMIT_NOFILE allows
  Duration shutdown_timeout = 30s;  ///< of running sessions after SIGTERM; zero: no limit
  std::uint64_t hash_seed = 0;
  io::FeatureSet io_disable;                 ///< with `splice = false`, splice among them
  bool hand_over = true;                     ///< connections to a shard that has fewer of them
  std::optional<std::uint64_t> pipe_memory;  ///< bytes; absent: half of what the user may have
};

struct Log {
  std::string access = "off";  ///< "off", "stdout" or a path
  log::Level level = log::Level::info;
};

struct Config {
  std::vector<Listener> listeners;  ///< in the file's order; ListenerId is the position
  std::vector<Pool> pools;          ///< PoolId is the position
  Process process;
  Log log;
  /// What it was read from, so that it can be read again when one of `files` has changed.
  std::string text;
  std::string path;
  /// Certificates, keys and other files that it names, and folders of them, as they are opened.
  std::vector<std::string> files;

  [[nodiscard]] std::size_t backend_count() const noexcept;
};

/// One error of a configuration file. Text: "file:line:column: message", the file as typed.
struct Diagnostic {
  std::string file;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string message;
  [[nodiscard]] std::string text() const;
};

/// Sorted by place, never empty.
using Diagnostics = std::vector<Diagnostic>;

/// Reads and checks a file, the certificates it names included. Every error is reported at once.
[[nodiscard]] std::expected<Config, Diagnostics> load(const std::string& path);
/// The same for a text; `path` is used for messages and as the base of relative paths.
[[nodiscard]] std::expected<Config, Diagnostics> parse(std::string_view text,
                                                       const std::string& path);

}  // namespace penstock::config

// Routing: everything a shard needs to know to serve connections, as one immutable snapshot:
// listeners, pools, hash tables, backends. And its TLS contexts, which are exchanged while it
// serves when certificates change. The supervisor builds both for each shard from the
// configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/balance/maglev.h"
#include "penstock/base/ids.h"
#include "penstock/config/config.h"
#include "penstock/net/endpoint.h"
#include "penstock/net/socket.h"
#include "penstock/relay/route_table.h"
#include "penstock/time/instant.h"
#include "penstock/tls/context.h"

namespace penstock::relay {

/// The hash tables of all pools, by PoolId. Built once, shared by the routings of all shards, never
/// written again.
using Tables = std::vector<std::shared_ptr<const balance::Maglev>>;

[[nodiscard]] Tables build_tables(const config::Config& config);

struct Routing {
  struct Listener {
    std::optional<PoolId> pool;    ///< where no route matches; absent: closed
    RouteTable routes;             ///< empty: the ClientHello is nobody's business
    Duration handshake_timeout{};  ///< zero: none
    Duration idle_timeout{};       ///< zero: none
    ConnectionOptions
        connection;  ///< for the backend's leg; the client's leg inherits the listener's
  };
  struct Pool {
    balance::HashKey hash_key{};
    Duration connect_timeout{};  ///< zero: the kernel's
    int connect_tries = 3;
    std::shared_ptr<const balance::Maglev> table;
    std::string server_name;  ///< see config::BackendTls
  };

  std::vector<Listener> listeners;  ///< by ListenerId
  std::vector<Pool> pools;          ///< by PoolId
  std::vector<Endpoint> backends;   ///< by BackendId
  std::uint64_t hash_seed = 0;

  [[nodiscard]] static std::unique_ptr<const Routing> build(const config::Config& config,
                                                            const Tables& tables);
};

/// The TLS contexts of one shard's own.
struct TlsContexts {
  std::vector<std::unique_ptr<tls::Context>> listeners;  ///< by ListenerId; null: plain TCP
  std::vector<std::unique_ptr<tls::Context>> pools;      ///< by PoolId; null: plaintext

  /// Error: OpenSSL refuses a listener's or a pool's settings.
  [[nodiscard]] static Result<std::unique_ptr<TlsContexts>> build(const config::Config& config);
};

}  // namespace penstock::relay

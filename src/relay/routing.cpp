// From a configuration to the snapshot that a shard serves by.
#include "penstock/relay/routing.h"

#include "penstock/base/assert.h"

namespace penstock::relay {

Tables build_tables(const config::Config& config) {
  Tables tables;
  tables.reserve(config.pools.size());
  for (const config::Pool& pool : config.pools) {
    std::vector<balance::Member> members;
    members.reserve(pool.backends.size());
    for (const config::Backend& backend : pool.backends) {
      members.push_back({.name = backend.name, .weight = backend.weight, .id = backend.id});
    }
    tables.push_back(std::make_shared<const balance::Maglev>(members, pool.table_size,
                                                             config.process.hash_seed));
  }
  return tables;
}

std::unique_ptr<const Routing> Routing::build(const config::Config& config, const Tables& tables) {
  auto routing = std::make_unique<Routing>();
  routing->hash_seed = config.process.hash_seed;
  for (const config::Listener& from : config.listeners) {
    PENSTOCK_ASSERT(from.pool || !from.routes.empty());
    routing->listeners.push_back(
        {.pool = from.pool,
         .routes = RouteTable(from.routes),
         .handshake_timeout = from.handshake_timeout,
         .idle_timeout = from.idle_timeout,
         .connection = {.keepalive = from.keepalive, .user_timeout = from.user_timeout}});
  }
  routing->backends.resize(config.backend_count());
  for (std::size_t i = 0; i < config.pools.size(); ++i) {
    const config::Pool& from = config.pools[i];
    routing->pools.push_back({.hash_key = from.hash_key,
                              .connect_timeout = from.connect_timeout,
                              .connect_tries = from.connect_tries,
                              .table = tables[i],
                              .server_name = from.tls ? from.tls->server_name : std::string()});
    for (const config::Backend& backend : from.backends)
      routing->backends[backend.id.value] = backend.address;
  }
  return routing;
}

Result<std::unique_ptr<TlsContexts>> TlsContexts::build(const config::Config& config) {
  auto contexts = std::make_unique<TlsContexts>();
  for (const config::Listener& from : config.listeners) {
    auto& context = contexts->listeners.emplace_back();
    if (!from.tls) continue;
    auto made = tls::Context::create_server(*from.tls);
    if (!made) return fail("listener " + from.name + ": " + made.error().message);
    context = std::move(*made);
  }
  for (const config::Pool& from : config.pools) {
    auto& context = contexts->pools.emplace_back();
    if (!from.tls) continue;
    auto made = tls::Context::create_client(from.tls->options);
    if (!made) return fail("pool " + from.name + ": " + made.error().message);
    context = std::move(*made);
  }
  return contexts;
}

}  // namespace penstock::relay

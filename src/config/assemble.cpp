// What no section can check alone: names that refer to each other, addresses that meet, ids. Runs
// even when a section had errors, so that everything is reported at once; what could not be read is
// left out of the comparisons.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "drafts.h"
#include "penstock/balance/maglev.h"
#include "penstock/config/suggest.h"
#include "text.h"

namespace penstock::config {
namespace {

/// Finds the pool that the table at `path` names; PoolId is the position in the file.
std::optional<PoolId> find_pool(const std::optional<Located<std::string>>& name,
                                const std::string& path, const std::vector<PoolDraft>& pools,
                                Source& source) {
  if (!name || pools.empty()) return std::nullopt;  // both reported already
  const auto found =
      std::ranges::find(pools, name->value, [](const PoolDraft& p) { return p.pool.name; });
  if (found != pools.end()) return PoolId{static_cast<std::uint32_t>(found - pools.begin())};
  std::vector<std::string_view> names;
  for (const PoolDraft& pool : pools) names.push_back(pool.pool.name);
  source.error(name->place,
               fmt::format("{}.pool is {}, but there is no such pool{}", path, quote(name->value),
                           hint(name->value, names, "the pools are")));
  return std::nullopt;
}

bool is_loopback(const Endpoint& endpoint) {
  const auto bytes = endpoint.address_bytes();
  if (endpoint.family() == AF_INET) return bytes[0] == 127;
  return std::ranges::all_of(bytes.first(15), [](auto byte) { return byte == 0; }) &&
         bytes[15] == 1;
}

/// Whether a connection to `target` certainly ends at a socket bound to `bind`.
bool leads_to(const Endpoint& target, const Endpoint& bind) {
  if (target == bind) return true;
  return target.is_ip() && target.family() == bind.family() && target.port() == bind.port() &&
         bind.is_any_address() && is_loopback(target);
}

/// A backend that is the listener itself would make every connection open another until no
/// descriptor is left.
void check_loop(const ListenerDraft& listener, const PoolDraft& pool, Source& source) {
  for (const BackendDraft& backend : pool.backends) {
    for (const auto& bind : listener.bind) {
      if (!backend.address || !leads_to(backend.address->value, bind.value)) continue;
      source.error(
          backend.address->place,
          fmt::format(
              "{} has the backend {}, which is the listener {} itself: every connection would "
              "connect to itself without end",
              pool.path, backend.address->value.to_string(), quote(listener.listener.name)));
    }
  }
}

/// The same address twice. Port 0 is a free port each time.
void check_bind(const std::vector<ListenerDraft>& listeners, Source& source) {
  struct Use {
    Located<Endpoint> bind;
    const ListenerDraft* listener;
  };
  std::vector<Use> uses;
  for (const ListenerDraft& listener : listeners) {
    for (const auto& bind : listener.bind) uses.push_back({bind, &listener});
  }
  std::ranges::stable_sort(uses, {}, [](const Use& use) { return use.bind.place; });
  std::map<std::string, const Use*> first;
  for (const Use& use : uses) {
    const Endpoint& endpoint = use.bind.value;
    if (endpoint.is_ip() && endpoint.port() == 0) continue;
    const auto [at, is_new] = first.emplace(endpoint.to_string(), &use);
    if (is_new) continue;
    source.error(
        use.bind.place,
        fmt::format("{}.bind has {} again: {}.bind has it in line {}", use.listener->path,
                    endpoint.to_string(), at->second->listener->path, at->second->bind.place.line));
  }
}

/// A route for names that earlier ones have taken whole would never be chosen.
void check_shadowed(const ListenerDraft& listener, Source& source) {
  std::map<std::string_view, Place> taken;
  for (const RouteDraft& route : listener.routes) {
    for (const auto& name : route.names) {
      const auto at = taken.find(name.value);
      if (at != taken.end()) {
        source.error(
            name.place,
            fmt::format("{}.match.sni has {} again, which always takes the route of line {}",
                        route.path, quote(name.value), at->second.line));
      } else if (route.route.protocols.empty()) {
        taken.emplace(name.value, name.place);
      }
    }
  }
}

/// Finds the pools of a listener and its routes, and settles what depends on its tls table.
void link(ListenerDraft& listener, const std::vector<PoolDraft>& pools, Source& source) {
  std::set<std::uint32_t> linked;
  const auto link_one = [&](const auto& name, const std::string& path) {
    const auto pool = find_pool(name, path, pools, source);
    if (pool && linked.insert(pool->value).second) check_loop(listener, pools[pool->value], source);
    return pool;
  };
  listener.listener.pool = link_one(listener.pool, listener.path);
  for (RouteDraft& route : listener.routes) {
    route.route.pool = link_one(route.pool, route.path).value_or(PoolId{});
    if (listener.listener.tls) continue;
    if (route.treatment && !route.route.passthrough) {
      source.error(
          *route.treatment,
          fmt::format("{}.tls is \"terminate\", but {} has no tls table with a certificate",
                      route.path, listener.path));
    }
    route.route.passthrough = true;
  }
  check_shadowed(listener, source);
}

void check_listener(const ListenerDraft& listener, Source& source) {
  const bool has_unix =
      std::ranges::any_of(listener.bind, [](const auto& bind) { return bind.value.is_unix(); });
  if (listener.mode && !listener.bind.empty() && !has_unix) {
    source.error(*listener.mode,
                 fmt::format("{0}.mode is the permissions of unix sockets, but {0}.bind has none",
                             listener.path));
  }
  if (listener.handshake_timeout && !listener.listener.tls && listener.routes.empty()) {
    source.error(*listener.handshake_timeout,
                 fmt::format("{}.handshake_timeout has no effect without tls or routes: plain TCP "
                             "has no handshake beyond the kernel's",
                             listener.path));
  }
  if (listener.handshake_timeout && listener.tls_handshake_timeout) {
    const bool own_first = *listener.handshake_timeout < *listener.tls_handshake_timeout;
    source.error(
        own_first ? *listener.tls_handshake_timeout : *listener.handshake_timeout,
        fmt::format(
            "{0}.handshake_timeout and {0}.tls.handshake_timeout are the same setting: keep one",
            listener.path));
  }
}

/// Names are what the hash table is built from, so two equal ones would share their keys.
void check_backends(PoolDraft& draft, Source& source) {
  std::map<std::string_view, Place> first;
  std::uint64_t weights = 0;
  for (BackendDraft& backend : draft.backends) {
    weights += backend.weight;
    if (backend.name.empty() && backend.address) backend.name = backend.address->value.to_string();
    if (backend.name.empty()) continue;
    const Place place =
        backend.name_place.value_or(backend.address ? backend.address->place : backend.place);
    const auto [at, is_new] = first.emplace(backend.name, place);
    if (is_new) continue;
    source.error(
        place,
        fmt::format(
            "{}.backends has the name {} again, first in line {}: names are unique in a pool; "
            "give one of them another name",
            draft.path, quote(backend.name), at->second.line));
  }
  if (weights <= draft.pool.table_size) return;
  auto size = static_cast<std::uint32_t>(weights);
  while (!balance::is_prime(size)) ++size;
  source.error(draft.table_size.value_or(draft.place),
               fmt::format("{}.table_size {} is less than the weights of the backends together, "
                           "{}: make it at least "
                           "the prime {}, better a hundred times that",
                           draft.path, draft.pool.table_size, weights, size));
}

Pool finish(PoolDraft draft, std::uint32_t& next_id) {
  for (BackendDraft& backend : draft.backends) {
    if (!backend.address) continue;
    draft.pool.backends.push_back(
        {BackendId{next_id++}, std::move(backend.name), backend.address->value, backend.weight});
  }
  return std::move(draft.pool);
}

Listener finish(ListenerDraft draft) {
  for (auto& bind : draft.bind) draft.listener.bind.push_back(bind.value);
  for (RouteDraft& route : draft.routes) draft.listener.routes.push_back(std::move(route.route));
  return std::move(draft.listener);
}

}  // namespace

Config assemble(Draft draft, Source& source) {
  for (ListenerDraft& listener : draft.listeners) {
    check_listener(listener, source);
    link(listener, draft.pools, source);
  }
  check_bind(draft.listeners, source);
  for (PoolDraft& pool : draft.pools) check_backends(pool, source);

  Config config;
  std::uint32_t next_id = 0;
  for (PoolDraft& pool : draft.pools) config.pools.push_back(finish(std::move(pool), next_id));
  for (ListenerDraft& listener : draft.listeners)
    config.listeners.push_back(finish(std::move(listener)));
  config.process = draft.process;
  config.log = std::move(draft.log);
  return config;
}

}  // namespace penstock::config

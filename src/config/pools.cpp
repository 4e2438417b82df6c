// [pools.NAME]: the backends of a pool and how one of them is chosen and reached.
#include <fmt/format.h>

#include "drafts.h"
#include "penstock/balance/maglev.h"
#include "text.h"

namespace penstock::config {
namespace {

/// A backend's address; reports those that are valid but can never be connected to.
std::optional<Located<Endpoint>> read_address(const Value& value) {
  const auto text = value.text("an address in quotes, such as \"10.0.0.11:9000\"");
  if (!text) return std::nullopt;
  const auto endpoint = Endpoint::parse(*text);
  if (!endpoint) {
    value.source().error(value.place(),
                         fmt::format("{}: {}", value.path(), endpoint.error().message));
    return std::nullopt;
  }
  if (endpoint->is_ip() && endpoint->port() == 0) {
    value.error(fmt::format("is {}: port 0 cannot be connected to", quote(*text)));
    return std::nullopt;
  }
  if (endpoint->is_any_address()) {
    value.error(fmt::format(
        "is {}: that means every address of this machine and cannot be connected to; write "
        "127.0.0.1 or [::1] for this machine",
        quote(*text)));
    return std::nullopt;
  }
  return Located<Endpoint>{*endpoint, value.place()};
}

void read_backend_name(const Value& value, BackendDraft& draft) {
  constexpr std::string_view form =
      "1 to 128 printable characters without spaces, quotes or backslashes";
  auto name = value.text(form);
  if (!name) return;
  const bool quotes = name->find_first_of("\"\\'") != std::string::npos;
  if (name->empty() || name->size() > longest_name || !is_visible(*name) || quotes)
    return value.mismatch(form);
  draft.name = std::move(*name);
  draft.name_place = value.place();
}

using BackendKey = Key<BackendDraft>;
constexpr std::array backend_table = {
    BackendKey{"name", read_backend_name},
    BackendKey{"address", [](const Value& v, BackendDraft& d) { d.address = read_address(v); },
               "where the backend listens, such as \"10.0.0.11:9000\""},
    BackendKey{"weight", [](const Value& v, BackendDraft& d) { v.read(d.weight, {1, 256}); }},
};

void read_backends(const Value& value, PoolDraft& draft) {
  const auto list =
      value.list("a list of addresses, such as [\"10.0.0.11:9000\", \"10.0.0.12:9000\"]");
  if (!list) return;
  constexpr std::size_t most = 65535;  // a slot of the lookup table has 16 bits
  if (list->empty())
    return value.error("is empty: a pool needs at least one backend, such as [\"10.0.0.11:9000\"]");
  if (list->size() > most)
    return value.error(fmt::format("has {} entries, the most is {}", list->size(), most));
  for (const Value& element : *list) {
    BackendDraft backend;
    backend.place = element.place();
    if (element.is_text()) {
      backend.address = read_address(element);
    } else {
      read_table(element, backend_table, backend,
                 "an address in quotes or a table such as { name = \"big\", address = "
                 "\"10.0.0.12:9000\", weight = 2 }");
    }
    draft.backends.push_back(std::move(backend));
  }
}

void read_balance(const Value& value, PoolDraft&) {
  const auto name = value.text("\"maglev\"");
  if (name && *name != "maglev") {
    value.error(fmt::format(
        "must be \"maglev\", not {}: this version of penstock has no other way to choose",
        quote(*name)));
  }
}

constexpr std::array hash_keys = {
    Choice<balance::HashKey>{"source_ip", balance::HashKey::source_ip},
    Choice<balance::HashKey>{"source_ip_port", balance::HashKey::source_ip_port}};

/// The nearest prime in one direction; the caller's range leaves one on both sides.
std::int64_t next_prime(std::int64_t from, std::int64_t step) {
  do {
    from += step;
  } while (!balance::is_prime(static_cast<std::uint32_t>(from)));
  return from;
}

void read_table_size(const Value& value, PoolDraft& draft) {
  constexpr std::int64_t largest =
      16'777'213;  // the largest prime below 2^24: a table of 32 MiB a pool
  const auto size = value.integer({2, largest});
  if (!size) return;
  if (!balance::is_prime(static_cast<std::uint32_t>(*size))) {
    return value.error(fmt::format("must be prime, not {}: the nearest primes are {} and {}", *size,
                                   next_prime(*size, -1), next_prime(*size, 1)));
  }
  draft.pool.table_size = static_cast<std::uint32_t>(*size);
  draft.table_size = value.place();
}

/// A unix socket has no address that a certificate could have.
void check_verifiable(const PoolDraft& pool, Source& source) {
  if (!pool.verified_by_address) return;
  for (const BackendDraft& backend : pool.backends) {
    if (!backend.address || backend.address->value.is_ip()) continue;
    return source.error(*pool.verified_by_address,
                        fmt::format("{}.tls needs server_name: {} has no address that is in a "
                                    "certificate",
                                    pool.path, backend.address->value.to_string()));
  }
}

using PoolKey = Key<PoolDraft>;
constexpr std::array pool_table = {
    PoolKey{"backends", read_backends,
            "the servers of the pool, such as backends = [\"10.0.0.11:9000\"]"},
    PoolKey{"balance", read_balance},
    PoolKey{"hash_key", [](const Value& v, PoolDraft& d) { v.read(d.pool.hash_key, hash_keys); }},
    PoolKey{"health", read_health},
    PoolKey{"connect_timeout",
            [](const Value& v, PoolDraft& d) { v.read(d.pool.connect_timeout); }},
    PoolKey{"connect_tries",
            [](const Value& v, PoolDraft& d) { v.read(d.pool.connect_tries, {1, 16}); }},
    PoolKey{"table_size", read_table_size},
    PoolKey{"tls", read_backend_tls},
};

}  // namespace

std::vector<KeyInfo> pool_keys() { return infos(pool_table); }
std::vector<KeyInfo> backend_keys() { return infos(backend_table); }

void read_pools(const Value& value, Draft& draft) {
  for (const Entry& entry : read_named(value, "pool")) {
    PoolDraft pool{};
    pool.pool.name = entry.name;
    pool.path = entry.value.path();
    pool.place = entry.value.place();
    read_table(entry.value, pool_table, pool, "a table with backends");
    check_verifiable(pool, value.source());
    draft.pools.push_back(std::move(pool));
  }
}

}  // namespace penstock::config

// What the readers of the sections hand to the checks: the configuration so far, with the places
// that a later error will need, because the final Config has none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "penstock/config/config.h"
#include "penstock/config/keys.h"
#include "reader.h"

namespace penstock::config {

struct RouteDraft {
  Route route;
  std::string path;                         ///< "listeners.web.routes[0]"
  std::vector<Located<std::string>> names;  ///< route.server_names
  std::optional<Located<std::string>> pool;
  std::optional<Place> treatment;  ///< `tls` is given
};

struct ListenerDraft {
  Listener listener;
  std::string path;  ///< "listeners.web"
  std::vector<Located<Endpoint>> bind;
  std::vector<RouteDraft> routes;
  std::optional<Located<std::string>> pool;
  std::optional<Place> mode;
  std::optional<Place> handshake_timeout;      ///< given in the listener's own table
  std::optional<Place> tls_handshake_timeout;  ///< given in its tls table
};

struct BackendDraft {
  std::string name;  ///< empty: its address
  std::optional<Located<Endpoint>> address;
  std::optional<Place> name_place;
  std::uint32_t weight = 1;
  Place place;
};

struct PoolDraft {
  Pool pool;
  std::string path;  ///< "pools.app"
  std::vector<BackendDraft> backends;
  std::optional<Place> table_size;
  std::optional<Place> verified_by_address;  ///< its tls table gives no name to verify
  Place place;
};

/// The whole file, section by section.
struct Draft {
  std::vector<ListenerDraft> listeners;
  std::vector<PoolDraft> pools;
  Process process;
  Log log;
};

// Each reads one section of the file.
void read_listeners(const Value& value, Draft& draft);
void read_pools(const Value& value, Draft& draft);
void read_process(const Value& value, Draft& draft);
void read_admin(const Value& value, Draft& draft);
void read_log(const Value& value, Draft& draft);

/// The parts of a section that have files of their own.
void read_tls(const Value& value, ListenerDraft& draft);
void read_routes(const Value& value, ListenerDraft& draft);
void read_health(const Value& value, PoolDraft& draft);
void read_backend_tls(const Value& value, PoolDraft& draft);
/// Names of ALPN protocols.
void read_protocols(const Value& value, std::vector<std::string>& names);

// The keys that each of these knows.
[[nodiscard]] std::vector<KeyInfo> root_keys();
[[nodiscard]] std::vector<KeyInfo> listener_keys();
[[nodiscard]] std::vector<KeyInfo> route_keys();
[[nodiscard]] std::vector<KeyInfo> match_keys();
[[nodiscard]] std::vector<KeyInfo> tls_keys();
[[nodiscard]] std::vector<KeyInfo> certificate_keys();
[[nodiscard]] std::vector<KeyInfo> client_keys();
[[nodiscard]] std::vector<KeyInfo> pool_keys();
[[nodiscard]] std::vector<KeyInfo> health_keys();
[[nodiscard]] std::vector<KeyInfo> backend_tls_keys();
[[nodiscard]] std::vector<KeyInfo> backend_keys();
[[nodiscard]] std::vector<KeyInfo> process_keys();
[[nodiscard]] std::vector<KeyInfo> admin_keys();
[[nodiscard]] std::vector<KeyInfo> log_keys();

/// What a name is checked for everywhere; the clause after "must be".
inline constexpr std::size_t longest_name = 128;

/// Reads a table of tables with names of the operator's choice, such as [listeners.NAME], in the
/// order of the file. Reports names that would be unreadable in logs and metrics.
[[nodiscard]] std::vector<Entry> read_named(const Value& value, std::string_view what);

/// Links listeners to pools, compares what stands in different tables, and gives the result its
/// ids.
[[nodiscard]] Config assemble(Draft draft, Source& source);

}  // namespace penstock::config

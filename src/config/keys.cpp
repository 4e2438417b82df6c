// The list of all tables of the configuration file, collected from the readers.
#include "penstock/config/keys.h"

#include "drafts.h"

namespace penstock::config {

std::span<const TableInfo> all_tables() {
  static const std::vector<TableInfo> tables = {
      {"", root_keys()},
      {"listeners.NAME", listener_keys()},
      {"listeners.NAME.tls", tls_keys()},
      {"listeners.NAME.tls.certificates[]", certificate_keys()},
      {"listeners.NAME.tls.names.NAME", client_keys()},
      {"listeners.NAME.routes[]", route_keys()},
      {"listeners.NAME.routes.match", match_keys()},
      {"pools.NAME", pool_keys()},
      {"pools.NAME.tls", backend_tls_keys()},
      {"pools.NAME.health", health_keys()},
      {"pools.NAME.backends[]", backend_keys()},
      {"process", process_keys()},
      {"admin", admin_keys()},
      {"log", log_keys()},
  };
  return tables;
}

}  // namespace penstock::config

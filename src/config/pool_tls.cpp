// pools.NAME.tls: how backends are spoken to that want TLS, and how they are known to be the right
// ones.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "penstock/net/endpoint.h"
#include "penstock/tls/context.h"
#include "text.h"
#include "tls_draft.h"

namespace penstock::config {
namespace {

struct BackendTlsDraft {
  BackendTls tls;
  std::optional<Located<std::string>> ca;
  std::optional<Located<std::string>> server_name;
  bool verify = true;
};

void read_server_name(const Value& value, BackendTlsDraft& draft) {
  constexpr std::string_view form =
      "the host name or the address in the backends' certificates, such as \"app.internal\"";
  const auto text = value.text(form);
  if (!text) return;
  const std::string name = lowered(*text);
  const bool is_address = Endpoint::parse(name + ":1") || Endpoint::parse("[" + name + "]:1");
  if (name.starts_with("*.") || (!is_host_name(name) && !is_address)) return value.mismatch(form);
  draft.server_name = {name, value.place()};
}

void read_backend_ca(const Value& value, BackendTlsDraft& draft) { draft.ca = read_path(value); }

void read_identity(const Value& value, BackendTlsDraft& draft) {
  draft.tls.options.identity = read_certificate(value);
}

using BackendTlsKey = Key<BackendTlsDraft>;
constexpr std::array backend_tls_table = {
    BackendTlsKey{"ca", read_backend_ca},
    BackendTlsKey{"server_name", read_server_name},
    BackendTlsKey{"verify", [](const Value& v, BackendTlsDraft& d) { v.read(d.verify); }},
    BackendTlsKey{"certificate", read_identity},
    BackendTlsKey{
        "alpn", [](const Value& v, BackendTlsDraft& d) { read_protocols(v, d.tls.options.alpn); }},
};

}  // namespace

std::vector<KeyInfo> backend_tls_keys() { return infos(backend_tls_table); }

void read_backend_tls(const Value& value, PoolDraft& pool) {
  BackendTlsDraft draft;
  if (!read_table(value, backend_tls_table, draft, "a table such as { ca = \"fleet-ca.pem\" }"))
    return;
  tls::ClientOptions& options = draft.tls.options;
  options.verification = !draft.verify ? tls::Verification::off
                         : draft.ca    ? tls::Verification::ca_file
                                       : tls::Verification::system;
  if (draft.ca) options.ca_file = draft.ca->value;
  if (draft.server_name) draft.tls.server_name = draft.server_name->value;
  if (draft.ca && !draft.verify) {
    value.source().error(draft.ca->place,
                         fmt::format("{}.ca means nothing while verify is false", value.path()));
  }
  // What the shards will do, so that a file which is no good is found here.
  if (const auto trial = tls::Context::create_client(options); !trial) {
    value.source().error(draft.ca ? draft.ca->place : value.place(),
                         fmt::format("{}: {}", value.path(), trial.error().message));
  }
  pool.verified_by_address =
      draft.verify && !draft.server_name ? std::optional(value.place()) : std::nullopt;
  pool.pool.tls = std::move(draft.tls);
}

}  // namespace penstock::config

// listeners.NAME.tls.client_* and the same keys in its names: which certificates clients have to
// show.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "penstock/base/log.h"
#include "penstock/tls/authorities.h"
#include "text.h"
#include "tls_draft.h"

namespace penstock::config {
namespace {

using Mode = tls::ClientVerification::Mode;
using AuthoritiesPtr = std::shared_ptr<const tls::Authorities>;

constexpr std::array modes = {Choice<Mode>{"off", Mode::off},
                              Choice<Mode>{"optional", Mode::optional},
                              Choice<Mode>{"required", Mode::required}};

using ClientKey = Key<ClientDraft>;
constexpr std::array client_table = {
    ClientKey{"client_auth", read_client_auth},   ClientKey{"client_ca", read_client_ca},
    ClientKey{"client_crl", read_client_crl},     ClientKey{"client_depth", read_client_depth},
    ClientKey{"client_names", read_client_names},
};

/// Each pair of files is read once, and an error in it reported once, however many names use it.
class AuthorityFiles {
 public:
  /// Null: reported.
  AuthoritiesPtr load(const ClientDraft& draft, Source& source) {
    const std::string crl = draft.crl ? draft.crl->value : std::string();
    const auto [at, is_new] = known_.try_emplace({draft.ca->value, crl});
    if (!is_new) return at->second;
    auto loaded = tls::Authorities::load(draft.ca->value, crl, log::wall_clock());
    if (loaded) return at->second = std::make_shared<const tls::Authorities>(std::move(*loaded));
    const bool about_ca = loaded.error().part == tls::AuthoritiesPart::ca;
    source.error(about_ca ? draft.ca->place : draft.crl->place,
                 fmt::format("{}.{}: {}", draft.path, about_ca ? "client_ca" : "client_crl",
                             loaded.error().error.message));
    return nullptr;
  }

 private:
  std::map<std::pair<std::string, std::string>, AuthoritiesPtr> known_;
};

tls::ClientVerification finish(const ClientDraft& draft, AuthorityFiles& files, Source& source) {
  tls::ClientVerification result;
  result.mode = draft.mode ? draft.mode->value : Mode::off;
  if (draft.depth) result.depth = *draft.depth;
  if (draft.names) result.names = *draft.names;
  if (result.mode == Mode::off) return result;
  if (draft.ca) {
    result.authorities = files.load(draft, source);
  } else {
    source.error(draft.mode->place,
                 fmt::format("{}.client_auth needs client_ca, the PEM file with the CAs whose "
                             "certificates are taken",
                             draft.path));
  }
  return result;
}

/// Says what has no effect, since nothing is asked of clients.
void check_idle(const ClientDraft& draft, Mode mode, Source& source) {
  if (mode != Mode::off) return;
  const auto idle = [&](Place place, std::string_view key) {
    source.error(place,
                 fmt::format("{}.{} means nothing while client_auth is \"off\"", draft.path, key));
  };
  if (draft.ca) idle(draft.ca->place, "client_ca");
  if (draft.crl) idle(draft.crl->place, "client_crl");
  if (draft.depth) idle(draft.place, "client_depth");
  if (draft.names) idle(draft.place, "client_names");
}

/// What a name says, and the listener's where it says nothing.
ClientDraft with_defaults(ClientDraft own, const ClientDraft& defaults) {
  if (!own.mode) own.mode = defaults.mode;
  if (!own.ca) own.ca = defaults.ca;
  if (!own.crl) own.crl = defaults.crl;
  if (!own.depth) own.depth = defaults.depth;
  if (!own.names) own.names = defaults.names;
  return own;
}

}  // namespace

std::vector<KeyInfo> client_keys() { return infos(client_table); }

void read_client_auth(const Value& value, ClientDraft& draft) {
  Mode mode = Mode::required;  // unless it is right, so that one error does not make more
  value.read(mode, modes);
  draft.mode = {mode, value.place()};
}

void read_client_ca(const Value& value, ClientDraft& draft) { draft.ca = read_path(value); }

void read_client_crl(const Value& value, ClientDraft& draft) { draft.crl = read_path(value); }

void read_client_depth(const Value& value, ClientDraft& draft) {
  draft.depth = 0;
  value.read(*draft.depth, {0, 100});
}

void read_client_names(const Value& value, ClientDraft& draft) {
  constexpr std::string_view form =
      "a name of a certificate in quotes: a DNS name, an address of mail, a URI or a CN; "
      "\"*.example.com\" for one label in front";
  const auto list = value.list("a list of names, such as [\"*.corp.example\"]");
  if (!list) return;
  if (list->empty()) return value.error("is empty: leave it out to take any name");
  draft.names.emplace();
  for (const Value& element : *list) {
    const auto text = element.text(form);
    if (!text) continue;
    const std::string name = lowered(*text);
    const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    const bool stars = name.find('*', name.starts_with("*.") ? 1 : 0) != std::string::npos;
    if (name.empty() || name == "*." || name.size() > 255 || stars ||
        std::ranges::any_of(name, is_control)) {
      element.mismatch(form);
    } else if (std::ranges::find(*draft.names, name) != draft.names->end()) {
      element.error(fmt::format("repeats {}", quote(name)));
    } else {
      draft.names->push_back(name);
    }
  }
}

void read_by_name(const Value& value, TlsDraft& draft) {
  const toml::table* table = value.table(
      "tables by name, such as { \"admin.example.com\" = { client_auth = "
      "\"required\" } }");
  if (table == nullptr) return;
  for (const Entry& entry : entries_of(*table, value)) {
    const std::string name = lowered(entry.name);
    if (!is_host_name(name)) {
      value.source().error(entry.place,
                           fmt::format("{} must be {}", entry.value.path(), host_name_form));
      continue;
    }
    ClientDraft clients;
    clients.path = entry.value.path();
    clients.place = entry.place;
    if (!read_table(entry.value, client_table, clients,
                    "a table such as { client_auth = \"required\", client_ca = \"ca.pem\" }")) {
      continue;
    }
    if (!draft.by_name.emplace(name, std::move(clients)).second)
      value.source().error(entry.place, fmt::format("{} is there twice", entry.value.path()));
  }
}

void finish_clients(TlsDraft& draft, Source& source) {
  AuthorityFiles files;
  draft.options.clients = finish(draft.clients, files, source);
  // Keys that only names use are in effect where one of them does.
  bool used = draft.options.clients.mode != Mode::off;
  for (const auto& [name, own] : draft.by_name) {
    const ClientDraft merged = with_defaults(own, draft.clients);
    tls::ClientVerification finished = finish(merged, files, source);
    check_idle(own, finished.mode, source);
    used = used || finished.mode != Mode::off;
    draft.options.clients_by_name.emplace(name, std::move(finished));
  }
  if (!used) check_idle(draft.clients, Mode::off, source);
}

}  // namespace penstock::config

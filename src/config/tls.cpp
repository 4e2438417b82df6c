// listeners.NAME.tls: certificates, the terms of the handshake, tickets.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "penstock/tls/known_algorithm.h"
#include "text.h"
#include "tls_draft.h"

namespace penstock::config {
namespace {

void read_alpn(const Value& value, TlsDraft& draft) { read_protocols(value, draft.options.alpn); }

void read_handshake_timeout(const Value& value, TlsDraft& draft) {
  value.read(draft.listener->listener.handshake_timeout);
  draft.listener->tls_handshake_timeout = value.place();
}

constexpr std::array versions = {Choice<tls::Version>{"1.2", tls::Version::tls12},
                                 Choice<tls::Version>{"1.3", tls::Version::tls13}};

void read_version(const Value& value, std::optional<tls::Version>& version) {
  version.emplace();
  value.read(*version, versions);
}

void read_max_version(const Value& value, TlsDraft& draft) {
  read_version(value, draft.max_version);
  draft.max_version_value = value;
}

/// Mozilla's recommendations, version 5.7 and later; "intermediate" is what penstock does by
/// itself.
void read_policy(const Value& value, TlsDraft& draft) {
  constexpr std::array<std::string_view, 2> policies = {"intermediate", "modern"};
  if (const auto policy = value.one_of(policies)) draft.modern = *policy == 1;
}

/// A list of OpenSSL's names becomes one of OpenSSL's lists. Each is tried by itself, since OpenSSL
/// passes over those that it does not know.
void read_algorithms(const Value& value, tls::Algorithm kind, std::string_view example,
                     std::string& list) {
  const auto elements = value.list(fmt::format("a list of names, such as [{}]", quote(example)));
  if (!elements) return;
  if (elements->empty()) return value.error("is empty: leave it out for penstock's choice");
  for (const Value& element : *elements) {
    const auto name = element.text(fmt::format("a name in quotes, such as {}", quote(example)));
    if (!name) continue;
    if (!tls::is_known(kind, *name)) {
      element.error(fmt::format("is unknown to OpenSSL here: {}; see {}", quote(*name),
                                tls::command_that_lists(kind)));
      continue;
    }
    if (!list.empty()) list += ':';
    list += *name;
  }
}

void read_ciphers(const Value& value, TlsDraft& draft) {
  draft.ciphers = value;
  read_algorithms(value, tls::Algorithm::cipher, "ECDHE-ECDSA-AES128-GCM-SHA256",
                  draft.options.terms.ciphers);
}

void read_tickets(const Value& value, TlsDraft& draft) {
  value.read(draft.options.tickets.count, {0, 16});
}

void read_secret(const Value& value, TlsDraft& draft) {
  constexpr std::size_t most = 4096;
  const auto path = read_path(value);
  if (!path) return;
  const auto say = [&](const std::string& message) {
    value.source().error(path->place, fmt::format("{}: {}", value.path(), message));
  };
  std::ifstream file(path->value, std::ios::binary);
  std::string secret(most + 1, '\0');
  file.read(secret.data(), static_cast<std::streamsize>(secret.size()));
  if (file.bad() || (!file && !file.eof())) return say(fmt::format("cannot read {}", path->value));
  secret.resize(static_cast<std::size_t>(file.gcount()));
  if (secret.size() < tls::Tickets::least_secret || secret.size() > most) {
    return say(
        fmt::format("{} has {} bytes, a secret has {} to {}: make one with `openssl rand -out "
                    "{} 48`",
                    path->value, secret.size() > most ? "more" : std::to_string(secret.size()),
                    tls::Tickets::least_secret, most, path->value));
  }
  draft.options.tickets.secret = std::move(secret);
}

void read_rotation(const Value& value, TlsDraft& draft) {
  Duration rotation = draft.options.tickets.rotation;
  value.read(rotation, {.least = 1s, .most = 168h, .may_be_off = false});
  if (rotation % 1s != Duration::zero()) return value.mismatch("whole seconds");
  draft.options.tickets.rotation = std::chrono::duration_cast<std::chrono::seconds>(rotation);
}

using TlsKey = Key<TlsDraft>;
constexpr std::array tls_table = {
    TlsKey{
        "certificates", read_certificates,
        "at least one, such as certificates = [{ chain = \"server.pem\", key = \"server.key\" }]",
        "certificate_folder"},
    TlsKey{"certificate_folder", [](const Value& v, TlsDraft& d) { d.folder = v; }},
    TlsKey{"strict_sni", [](const Value& v, TlsDraft& d) { v.read(d.options.strict_names); }},
    TlsKey{"alpn", read_alpn},
    TlsKey{"policy", read_policy},
    TlsKey{"min_version", [](const Value& v, TlsDraft& d) { read_version(v, d.min_version); }},
    TlsKey{"max_version", read_max_version},
    TlsKey{"ciphers", read_ciphers},
    TlsKey{"ciphersuites",
           [](const Value& v, TlsDraft& d) {
             read_algorithms(v, tls::Algorithm::cipher_suite, "TLS_AES_128_GCM_SHA256",
                             d.options.terms.cipher_suites);
           }},
    TlsKey{"groups",
           [](const Value& v, TlsDraft& d) {
             read_algorithms(v, tls::Algorithm::group, "X25519", d.options.terms.groups);
           }},
    TlsKey{"signature_algorithms",
           [](const Value& v, TlsDraft& d) {
             read_algorithms(v, tls::Algorithm::signature, "ecdsa_secp256r1_sha256",
                             d.options.terms.signature_algorithms);
           }},
    TlsKey{"handshake_timeout", read_handshake_timeout},
    TlsKey{"client_auth", [](const Value& v, TlsDraft& d) { read_client_auth(v, d.clients); }},
    TlsKey{"client_ca", [](const Value& v, TlsDraft& d) { read_client_ca(v, d.clients); }},
    TlsKey{"client_crl", [](const Value& v, TlsDraft& d) { read_client_crl(v, d.clients); }},
    TlsKey{"client_depth", [](const Value& v, TlsDraft& d) { read_client_depth(v, d.clients); }},
    TlsKey{"client_names", [](const Value& v, TlsDraft& d) { read_client_names(v, d.clients); }},
    TlsKey{"names", read_by_name},
    TlsKey{"tickets", read_tickets},
    TlsKey{"ticket_secret", read_secret},
    TlsKey{"ticket_rotation", read_rotation},
};

/// What is wrong only together.
void finish_terms(TlsDraft& draft) {
  tls::Terms& terms = draft.options.terms;
  if (draft.modern) terms.min_version = tls::Version::tls13;
  if (draft.min_version) terms.min_version = *draft.min_version;
  if (draft.max_version) terms.max_version = *draft.max_version;
  if (terms.min_version > terms.max_version)
    draft.max_version_value->error("is below the lowest version that is spoken, 1.3");
  if (draft.ciphers && terms.min_version == tls::Version::tls13)
    draft.ciphers->error(
        "means nothing without TLS 1.2: its ciphers are meant, TLS 1.3 has ciphersuites");
}

}  // namespace

void read_protocols(const Value& value, std::vector<std::string>& names) {
  const auto list = value.list("a list of protocol names, such as [\"h2\", \"http/1.1\"]");
  if (!list) return;
  // RFC 7301, section 3.1: a name has 1 to 255 bytes, the list with its length bytes at most 65535.
  std::size_t bytes = 0;
  for (const Value& element : *list) {
    const auto name = element.text("a protocol name in quotes, such as \"h2\"");
    if (!name) continue;
    if (name->empty() || name->size() > 255 || !is_visible(*name)) {
      element.mismatch("a protocol name of 1 to 255 printable characters without spaces");
    } else if (std::ranges::find(names, *name) != names.end()) {
      element.error(fmt::format("repeats {}", quote(*name)));
    } else {
      bytes += name->size() + 1;
      names.push_back(*name);
    }
  }
  if (bytes > 65535) value.error("is too long: the names may take 65535 bytes together");
}

std::vector<KeyInfo> tls_keys() { return infos(tls_table); }

void read_tls(const Value& value, ListenerDraft& listener) {
  TlsDraft draft;
  draft.listener = &listener;
  draft.clients.path = value.path();
  draft.clients.place = value.place();
  if (read_table(value, tls_table, draft, "a table with certificates")) {
    if (draft.folder) read_folder(*draft.folder, draft);  // behind those that are listed
    finish_terms(draft);
    finish_clients(draft, value.source());
  }
  listener.listener.tls = std::move(draft.options);
}

}  // namespace penstock::config

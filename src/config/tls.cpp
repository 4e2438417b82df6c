// listeners.NAME.tls: the certificates, which are loaded and checked here, and the terms of the
// handshake.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "drafts.h"
#include "penstock/tls/identity.h"
#include "text.h"

namespace penstock::config {
namespace {

struct CertificateDraft {
  std::optional<Located<std::string>> chain;
  std::optional<Located<std::string>> key;
};

std::optional<Located<std::string>> read_path(const Value& value) {
  const auto path = value.text("the path of a PEM file in quotes");
  if (!path) return std::nullopt;
  if (path->empty() || path->find('\0') != std::string::npos) {
    value.mismatch("the path of a PEM file");
    return std::nullopt;
  }
  return Located<std::string>{value.source().resolve(*path), value.place()};
}

using CertificateKey = Key<CertificateDraft>;
constexpr std::array certificate_table = {
    CertificateKey{"chain", [](const Value& v, CertificateDraft& d) { d.chain = read_path(v); },
                   "the PEM file with the certificate and its intermediates"},
    CertificateKey{"key", [](const Value& v, CertificateDraft& d) { d.key = read_path(v); },
                   "the PEM file with the certificate's private key"},
};

std::optional<tls::Identity> read_certificate(const Value& value) {
  CertificateDraft draft;
  read_table(value, certificate_table, draft,
             "a table such as { chain = \"server.pem\", key = \"server.key\" }");
  if (!draft.chain || !draft.key) return std::nullopt;
  auto identity =
      tls::Identity::load(draft.chain->value, draft.key->value, std::chrono::system_clock::now());
  if (identity) return std::move(*identity);
  const bool about_chain = identity.error().part == tls::IdentityPart::chain;
  value.source().error(about_chain ? draft.chain->place : draft.key->place,
                       fmt::format("{}.{}: {}", value.path(), about_chain ? "chain" : "key",
                                   identity.error().error.message));
  return std::nullopt;
}

/// Reports a certificate that would never be served: it is not the first, which is the default, and
/// no client can ask for it by a name that is its own. Adds its names to those that are `taken`.
void check_names(const Value& value, const tls::Identity& identity, bool is_default,
                 std::set<std::string>& taken) {
  const std::vector<std::string> names = identity.dns_names();
  bool has_own = is_default;
  for (const std::string& name : names) has_own = taken.insert(name).second || has_own;
  if (has_own) return;
  if (names.empty()) {
    return value.error(
        "has no DNS name in its subjectAltName, so no client can ask for it: only the first "
        "certificate, the default, can do without");
  }
  value.error(
      fmt::format("would never be chosen: earlier certificates have all its names, such as {} (an "
                  "RSA and an ECDSA certificate for the same name have not landed)",
                  quote(names.front())));
}

void read_certificates(const Value& value, ListenerDraft& draft) {
  const auto list =
      value.list("a list of tables, such as [{ chain = \"server.pem\", key = \"server.key\" }]");
  if (!list) return;
  if (list->empty()) return value.error("is empty: TLS needs at least one certificate");
  std::set<std::string> taken;
  for (const Value& element : *list) {
    auto identity = read_certificate(element);
    if (!identity) continue;
    check_names(element, *identity, &element == &list->front(), taken);
    draft.listener.tls->certificates.push_back(std::move(*identity));
  }
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

namespace {

void read_alpn(const Value& value, ListenerDraft& draft) {
  read_protocols(value, draft.listener.tls->alpn);
}

void read_handshake_timeout(const Value& value, ListenerDraft& draft) {
  value.read(draft.listener.handshake_timeout);
  draft.tls_handshake_timeout = value.place();
}

constexpr std::array versions = {Choice<tls::Version>{"1.2", tls::Version::tls12},
                                 Choice<tls::Version>{"1.3", tls::Version::tls13}};

void read_min_version(const Value& value, ListenerDraft& draft) {
  value.read(draft.listener.tls->min_version, versions);
}

using TlsKey = Key<ListenerDraft>;
constexpr std::array tls_table = {
    TlsKey{
        "certificates", read_certificates,
        "at least one, such as certificates = [{ chain = \"server.pem\", key = \"server.key\" }]"},
    TlsKey{"alpn", read_alpn},
    TlsKey{"min_version", read_min_version},
    TlsKey{"handshake_timeout", read_handshake_timeout},
    TlsKey{"certificate_folder", nullptr},
    TlsKey{"strict_sni", nullptr},
    TlsKey{"policy", nullptr},
    TlsKey{"ciphers", nullptr},
    TlsKey{"ciphersuites", nullptr},
    TlsKey{"groups", nullptr},
    TlsKey{"client_auth", nullptr},
    TlsKey{"client_ca", nullptr},
    TlsKey{"client_crl", nullptr},
    TlsKey{"client_depth", nullptr},
    TlsKey{"client_names", nullptr},
    TlsKey{"ticket_secret", nullptr},
    TlsKey{"tickets", nullptr},
    TlsKey{"names", nullptr},
};

}  // namespace

std::vector<KeyInfo> tls_keys() { return infos(tls_table); }
std::vector<KeyInfo> certificate_keys() { return infos(certificate_table); }

void read_tls(const Value& value, ListenerDraft& draft) {
  draft.listener.tls.emplace();
  read_table(value, tls_table, draft, "a table with certificates");
}

}  // namespace penstock::config

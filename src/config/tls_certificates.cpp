// listeners.NAME.tls.certificates and certificate_folder: read and checked here, so that no client
// is the first to find that a key does not fit.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "penstock/base/log.h"
#include "penstock/tls/identity.h"
#include "text.h"
#include "tls_draft.h"

namespace penstock::config {
namespace {

struct CertificateDraft {
  std::optional<Located<std::string>> chain;
  std::optional<Located<std::string>> key;
};

using CertificateKey = Key<CertificateDraft>;
constexpr std::array certificate_table = {
    CertificateKey{"chain", [](const Value& v, CertificateDraft& d) { d.chain = read_path(v); },
                   "the PEM file with the certificate and its intermediates"},
    CertificateKey{"key", [](const Value& v, CertificateDraft& d) { d.key = read_path(v); },
                   "the PEM file with the certificate's private key"},
};

/// What would never be served is an error: it is not the first, which is the default, and no client
/// can ask for it by a name that it is the first of its kind to have. The clause after its path, or
/// nothing.
std::string problem_of(const tls::Identity& identity, const std::vector<tls::Identity>& earlier) {
  if (earlier.empty()) return {};
  const std::vector<std::string> names = identity.dns_names();
  if (names.empty()) {
    return "has no DNS name in its subjectAltName, so no client can ask for it: only the first "
           "certificate, the default, can do without";
  }
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::any_of(earlier, [&](const tls::Identity& other) {
      const auto owned = other.dns_names();
      return other.key_kind() == identity.key_kind() &&
             std::ranges::find(owned, name) != owned.end();
    });
  };
  if (!std::ranges::all_of(names, is_taken)) return {};
  return fmt::format(
      "would never be chosen: earlier certificates with {} keys have all its names, "
      "such as {}",
      identity.key_kind(), quote(names.front()));
}

/// The files NAME.pem of a folder, by name; an error says what is wrong with it.
std::vector<std::filesystem::path> chains_in(const std::string& folder, std::error_code& error) {
  std::vector<std::filesystem::path> chains;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const auto& path = at->path();
    const bool hidden = path.filename().string().starts_with('.');
    if (!hidden && path.extension() == ".pem") chains.push_back(path);
  }
  std::ranges::sort(chains);
  return chains;
}

}  // namespace

std::optional<tls::Identity> read_certificate(const Value& value) {
  CertificateDraft draft;
  read_table(value, certificate_table, draft,
             "a table such as { chain = \"server.pem\", key = \"server.key\" }");
  if (!draft.chain || !draft.key) return std::nullopt;
  auto identity = tls::Identity::load(draft.chain->value, draft.key->value, log::wall_clock());
  if (identity) return std::move(*identity);
  const bool about_chain = identity.error().part == tls::IdentityPart::chain;
  value.source().error(about_chain ? draft.chain->place : draft.key->place,
                       fmt::format("{}.{}: {}", value.path(), about_chain ? "chain" : "key",
                                   identity.error().error.message));
  return std::nullopt;
}

std::vector<KeyInfo> certificate_keys() { return infos(certificate_table); }

std::optional<Located<std::string>> read_path(const Value& value) {
  const auto path = value.text("the path of a PEM file in quotes");
  if (!path) return std::nullopt;
  if (path->empty() || path->find('\0') != std::string::npos) {
    value.mismatch("the path of a PEM file");
    return std::nullopt;
  }
  std::string resolved = value.source().resolve(*path);
  value.source().note_file(resolved);
  return Located<std::string>{std::move(resolved), value.place()};
}

void read_certificates(const Value& value, TlsDraft& draft) {
  const auto list =
      value.list("a list of tables, such as [{ chain = \"server.pem\", key = \"server.key\" }]");
  if (!list) return;
  if (list->empty()) return value.error("is empty: TLS needs at least one certificate");
  for (const Value& element : *list) {
    auto identity = read_certificate(element);
    if (!identity) continue;
    const std::string problem = problem_of(*identity, draft.options.certificates);
    if (!problem.empty()) element.error(problem);
    draft.options.certificates.push_back(std::move(*identity));
  }
}

void read_folder(const Value& value, TlsDraft& draft) {
  const auto folder = read_path(value);
  if (!folder) return;
  const auto say = [&](const std::string& message) {
    value.source().error(folder->place, fmt::format("{}: {}", value.path(), message));
  };
  std::error_code error;
  const auto chains = chains_in(folder->value, error);
  if (error) return say(fmt::format("cannot read {}: {}", folder->value, error.message()));
  if (chains.empty()) {
    return say(
        fmt::format("{} holds no NAME.pem: it needs a chain in NAME.pem and its key in "
                    "NAME.key for each certificate",
                    folder->value));
  }
  for (const auto& chain : chains) {
    auto key = chain;
    key.replace_extension(".key");
    value.source().note_file(chain);
    value.source().note_file(key);
    auto identity = tls::Identity::load(chain, key, log::wall_clock());
    if (!identity) {
      say(identity.error().error.message);
      continue;
    }
    const std::string problem = problem_of(*identity, draft.options.certificates);
    if (!problem.empty()) say(fmt::format("{} {}", chain.string(), problem));
    draft.options.certificates.push_back(std::move(*identity));
  }
}

}  // namespace penstock::config

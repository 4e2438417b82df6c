// A server's Context: from certificates and terms to sites.
#include "penstock/tls/context.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <map>

#include "authorities_parts.h"
#include "context_parts.h"
#include "context_settings.h"
#include "identity_parts.h"
#include "site_plan.h"

namespace penstock::tls {
namespace {

constexpr long longest_session = 7200;  // seconds; RFC 8446, 4.6.1 allows a week
constexpr long longest_client_chain = 65536;

bool add_number(EVP_MD_CTX* digest, std::uint32_t number) {
  return EVP_DigestUpdate(digest, &number, sizeof(number)) == 1;
}

/// What a session must not be carried over: other certificates, or something else asked of clients
/// (Delignat-Lavaud and Bhargavan, "Network-based origin confusion", WWW 2015).
bool add_clients(EVP_MD_CTX* digest, const ClientVerification& clients,
                 const std::vector<X509Ptr>& authorities, const std::vector<CrlPtr>& revoked) {
  bool added = add_number(digest, static_cast<std::uint32_t>(clients.mode)) &&
               add_number(digest, static_cast<std::uint32_t>(clients.depth));
  for (const X509Ptr& each : authorities) added = added && add_fingerprint(digest, each.get());
  for (const CrlPtr& each : revoked) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> print{};
    unsigned int size = 0;
    added = added && X509_CRL_digest(each.get(), EVP_sha256(), print.data(), &size) == 1 &&
            EVP_DigestUpdate(digest, print.data(), size) == 1;
  }
  for (const std::string& name : clients.names)
    added = added && EVP_DigestUpdate(digest, name.c_str(), name.size() + 1) == 1;
  return added;
}

bool limit_sessions(SSL_CTX* context, const Tickets& tickets) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, std::min<long>(longest_session, tickets.rotation.count()));
  if (tickets.count == 0) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  return SSL_CTX_set_num_tickets(context, tickets.count) == 1;
}

/// What is asked of a client that wants `name`: by its own entry, by one that covers it, by the
/// rest.
const ClientVerification& clients_of(const std::string& name, const ServerOptions& options) {
  for (const std::string& key : {name, covering(name)}) {
    const auto found = options.clients_by_name.find(key);
    if (found != options.clients_by_name.end()) return found->second;
  }
  return options.clients;
}

}  // namespace

Context::Context() noexcept = default;
Context::~Context() = default;

/// A site with all that does not depend on others. Its scope is complete.
Result<std::unique_ptr<Site>> Context::make_site(const ServerOptions& options,
                                                 const std::vector<std::size_t>& certificates,
                                                 const ClientVerification& clients, Sites& all) {
  auto site = std::make_unique<Site>();
  site->all = &all;
  site->client_names = clients.names;
  site->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = site->context.get();
  EVP_MD_CTX* digest = all.digest.get();
  bool set = context != nullptr && EVP_DigestInit_ex2(digest, nullptr, nullptr) == 1;
  if (!set) return fail_to_set_up("TLS");
  set_modes(context);
  SSL_CTX_set_max_cert_list(context, longest_client_chain);
  // Before the certificates, since they are checked against it.
  if (const auto refusal = limit_algorithms(context, options.terms, server_groups)) {
    return fail_by(*refusal);
  }
  for (const std::size_t each : certificates) {
    const Identity::Parts& identity = *options.certificates[each].parts_;
    set = set && use_identity_copy(context, identity.chain, identity.key) &&
          add_fingerprint(digest, identity.chain.front().get());
  }
  if (clients.mode != ClientVerification::Mode::off) {
    const Authorities::Parts& trusted = *clients.authorities->parts_;
    set = set && ask_for_certificates(context, clients, trusted.certificates, trusted.revoked) &&
          add_clients(digest, clients, trusted.certificates, trusted.revoked);
  }
  set = set && limit_sessions(context, options.tickets) &&
        EVP_DigestFinal_ex(digest, site->scope.data(), nullptr) == 1;
  if (!set || !set_callbacks(*site)) return fail_to_set_up("TLS");
  return site;
}

Result<std::unique_ptr<Context>> Context::create_server(const ServerOptions& options) {
  if (options.certificates.empty()) return fail("a TLS listener needs at least one certificate");
  auto alpn = encode_protocols(options.alpn);
  if (!alpn) return std::unexpected(alpn.error());
  ERR_clear_error();
  auto all = std::make_unique<Sites>();
  all->strict_names = options.strict_names;
  all->alpn = std::move(*alpn);
  all->digest.reset(EVP_MD_CTX_new());
  if (all->digest == nullptr || EVP_DigestInit_ex2(all->digest.get(), EVP_sha256(), nullptr) != 1 ||
      !all->tickets.set_up(options.tickets)) {
    return fail_to_set_up("TLS");
  }

  std::vector<Offer> offers;
  for (const Identity& identity : options.certificates) {
    const auto names = tls::dns_names(*identity.parts_->chain.front());
    if (!names) return fail_to_set_up("TLS");
    offers.push_back({*names, EVP_PKEY_get_base_id(identity.parts_->key.get())});
  }
  std::vector<std::string> more;
  for (const auto& [name, clients] : options.clients_by_name) more.push_back(name);
  const SitePlan plan = plan_sites(offers, more);

  using Combination = std::pair<SitePlan::Certificates, const ClientVerification*>;
  std::map<Combination, Site*> made;
  const auto site_for = [&](const SitePlan::Certificates& certificates,
                            const ClientVerification& clients) -> Result<Site*> {
    Site*& known = made[Combination(certificates, &clients)];
    if (known != nullptr) return known;
    auto site = make_site(options, certificates, clients, *all);
    if (!site) return std::unexpected(std::move(site.error()));
    all->sites.push_back(std::move(*site));
    return known = all->sites.back().get();
  };
  if (auto rest = site_for(plan.rest, options.clients); !rest) {
    return std::unexpected(std::move(rest.error()));
  }
  for (const auto& [name, certificates] : plan.by_name) {
    const auto site = site_for(certificates, clients_of(name, options));
    if (!site) return std::unexpected(site.error());
    all->names.add(name, **site);
  }
  ERR_clear_error();
  std::unique_ptr<Context> context(new Context);
  context->parts_ = std::make_unique<Parts>();
  context->parts_->server = std::move(all);
  return context;
}

}  // namespace penstock::tls

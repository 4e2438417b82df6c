// What OpenSSL asks during a handshake. Nothing here may throw or allocate, but for the names of a
// client's certificate.
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "engine_parts.h"
#include "sites.h"

namespace penstock::tls {
namespace {

/// The host name in a server_name extension (RFC 6066, 3); empty where there is none that OpenSSL
/// will not refuse in a moment.
std::string_view name_in(std::span<const unsigned char> extension) noexcept {
  constexpr std::size_t header = 5;  // the list's length, the name's type, the name's length
  if (extension.size() <= header || extension[2] != TLSEXT_NAMETYPE_host_name) return {};
  const auto number = [&](std::size_t at) {
    return static_cast<std::size_t>(extension[at]) << 8U | extension[at + 1];
  };
  if (number(0) != extension.size() - 2 || number(3) != extension.size() - header) return {};
  const auto name = extension.subspan(header);
  return {reinterpret_cast<const char*>(name.data()), name.size()};
}

std::string_view asked_name(SSL* ssl) noexcept {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size) != 1) return {};
  return name_in({extension, size});
}

using Scope = std::array<unsigned char, 32>;

/// What sessions are limited to: one name at one site. Nullopt: OpenSSL's queue says why.
std::optional<Scope> scope_of(const Site& site, std::string_view name) noexcept {
  Scope scope{};
  EVP_MD_CTX* digest = site.all->digest.get();
  const NameTable::Lowered lowered(name);
  const bool made = EVP_DigestInit_ex2(digest, nullptr, nullptr) == 1 &&
                    EVP_DigestUpdate(digest, site.scope.data(), site.scope.size()) == 1 &&
                    EVP_DigestUpdate(digest, lowered.text().data(), lowered.text().size()) == 1 &&
                    EVP_DigestFinal_ex(digest, scope.data(), nullptr) == 1;
  return made ? std::optional(scope) : std::nullopt;
}

/// SSL_set_SSL_CTX() takes certificates, authorities and tickets from there, but not what is asked
/// of clients.
bool move_to(SSL* ssl, const Site& site, const Scope& scope) noexcept {
  SSL_CTX* context = site.context.get();
  if (SSL_set_SSL_CTX(ssl, context) != context) return false;
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), SSL_CTX_get_verify_callback(context));
  return SSL_set_session_id_context(ssl, scope.data(), SSL_MAX_SID_CTX_LENGTH) == 1;
}

int choose_site(SSL* ssl, int* alert, void* argument) {
  const Sites& sites = *static_cast<const Sites*>(argument);
  auto& notes = *static_cast<HandshakeNotes*>(SSL_get_app_data(ssl));
  const std::string_view name = asked_name(ssl);
  const Site* site = sites.names.find(name);
  if (site == nullptr && sites.strict_names) {
    notes.refusal =
        name.empty() ? "it asked for no name" : "no certificate has the name that it asked for";
    notes.refused_name = NameTable::Lowered(name).text();
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  if (site == nullptr) site = sites.sites.front().get();
  const auto scope = scope_of(*site, name);
  // The second ClientHello of a handshake: a route may have been chosen by the first one's name.
  if (scope && notes.scope && *scope != *notes.scope) {
    notes.refusal = "its second ClientHello asked for another name";
    notes.refused_name = NameTable::Lowered(name).text();
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
  }
  notes.scope = scope;
  if (scope && move_to(ssl, *site, *scope)) return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_INTERNAL_ERROR;  // going on could show another site's certificate
  return SSL_CLIENT_HELLO_ERROR;
}

/// Tells the client that its name was of use (RFC 6066, 3).
int acknowledge_name(SSL* ssl, int* /*alert*/, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const bool known =
      name != nullptr && static_cast<const Sites*>(argument)->names.find(name) != nullptr;
  return known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void* argument) {
  const auto& ours = static_cast<const Sites*>(argument)->alpn;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned int>(ours.size()), offered, offered_size);
  // RFC 7301, 3.2: without a common protocol the handshake ends with no_application_protocol.
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Site& site_of(const SSL* ssl) noexcept {
  return *static_cast<Site*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int handle_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, int seals) {
  TicketKeys& keys = site_of(ssl).all->tickets;
  if (seals == 1) return keys.seal(name, iv, cipher, mac);
  // In TLS 1.3 a ticket is best used once (RFC 8446, C.4), so there is another in its place.
  return keys.open(name, iv, cipher, mac, SSL_version(ssl) == TLS1_3_VERSION);
}

bool is_allowed(X509& certificate, const std::vector<std::string>& allowed) {
  const auto names = identity_names(certificate);
  return names && std::ranges::any_of(*names, [&](const std::string& name) {
           return std::ranges::any_of(
               allowed, [&](const std::string& pattern) { return covers(pattern, name); });
         });
}

int check_client(int good, X509_STORE_CTX* store) {
  if (good != 1 || X509_STORE_CTX_get_error_depth(store) != 0) return good;
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const std::vector<std::string>& allowed = site_of(ssl).client_names;
  if (allowed.empty() || is_allowed(*X509_STORE_CTX_get_current_cert(store), allowed)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

}  // namespace

bool set_callbacks(Site& site) {
  SSL_CTX* context = site.context.get();
  if (SSL_CTX_set_app_data(context, &site) != 1) return false;
  SSL_CTX_set_client_hello_cb(context, choose_site, site.all);
  // OpenSSL's macro for this has a C cast.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(acknowledge_name));
  SSL_CTX_set_tlsext_servername_arg(context, site.all);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, handle_ticket);
  if (!site.all->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, site.all);
  return true;
}

bool ask_for_certificates(SSL_CTX* context, const ClientVerification& terms,
                          const std::vector<X509Ptr>& certificates,
                          const std::vector<CrlPtr>& revoked) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  // Whoever names an intermediate's certificate means that one.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (!revoked.empty()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  bool set =
      X509_STORE_set_flags(store, flags) == 1 && X509_STORE_set_depth(store, terms.depth) == 1;
  for (const X509Ptr& each : certificates) {
    const X509Ptr copy(X509_dup(each.get()));
    set = set && copy != nullptr && X509_STORE_add_cert(store, copy.get()) == 1 &&
          SSL_CTX_add_client_CA(context, copy.get()) == 1;
  }
  for (const CrlPtr& each : revoked) {
    const CrlPtr copy(X509_CRL_dup(each.get()));
    set = set && copy != nullptr && X509_STORE_add_crl(store, copy.get()) == 1;
  }
  const bool required = terms.mode == ClientVerification::Mode::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     check_client);
  return set;
}

}  // namespace penstock::tls

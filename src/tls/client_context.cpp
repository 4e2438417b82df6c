// Client settings: whom to trust, what to agree on, and that sessions go to the engines.
#include <fmt/format.h>
#include <openssl/err.h>

#include <array>

#include "client_callbacks.h"
#include "context_parts.h"
#include "context_settings.h"
#include "identity_parts.h"
#include "pem_file.h"
#include "penstock/tls/client.h"

namespace penstock::tls {
namespace {

/// Trusts the certificates in `path` and returns what tells them from others.
Result<std::string> trust_file(SSL_CTX* client, const std::string& path) {
  const auto certificates = read_certificates(path);
  if (!certificates) return std::unexpected(certificates.error());
  X509_STORE* store = SSL_CTX_get_cert_store(client);
  const DigestPtr digest(EVP_MD_CTX_new());
  // Whoever names an intermediate's, or the server's own, certificate means that one.
  bool set = digest != nullptr && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
             EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  for (const X509Ptr& certificate : *certificates) {
    set = set && X509_STORE_add_cert(store, certificate.get()) == 1 &&
          add_fingerprint(digest.get(), certificate.get());
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> print{};
  unsigned int size = 0;
  set = set && EVP_DigestFinal_ex(digest.get(), print.data(), &size) == 1;
  if (!set) return fail_to_set_up("TLS for a client");
  return std::string(reinterpret_cast<const char*>(print.data()), size);
}

/// Returns Context::Parts::trust.
Result<std::string> set_verification(SSL_CTX* client, const ClientOptions& options) {
  if (options.verification == Verification::off) {
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, nullptr);
    return std::string();
  }
  SSL_CTX_set_verify(client, SSL_VERIFY_PEER, nullptr);
  if (options.verification == Verification::ca_file) return trust_file(client, options.ca_file);
  if (SSL_CTX_set_default_verify_paths(client) != 1) return fail_to_set_up("TLS for a client");
  return std::string("system");
}

void hand_out_sessions(SSL_CTX* client) {
  SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(client, keep_session);
}

}  // namespace

Result<std::unique_ptr<Context>> Context::create_client(const ClientOptions& options) {
  if (options.terms.min_version > options.terms.max_version) {
    return fail("the lowest TLS version of a client is above its highest");
  }
  auto alpn = encode_protocols(options.alpn);
  if (!alpn) return std::unexpected(std::move(alpn.error()));
  ERR_clear_error();
  SslContextPtr client(SSL_CTX_new(TLS_client_method()));
  if (client == nullptr) return fail_to_set_up("TLS for a client");
  set_modes(client.get());
  hand_out_sessions(client.get());
  if (const auto refusal = limit_algorithms(client.get(), options.terms, client_groups)) {
    return fail_by(*refusal);
  }
  const auto* protocols = reinterpret_cast<const unsigned char*>(alpn->data());
  // 0 is its success.
  if (!alpn->empty() && SSL_CTX_set_alpn_protos(client.get(), protocols,
                                                static_cast<unsigned int>(alpn->size())) != 0) {
    return fail_to_set_up("TLS for a client");
  }
  if (options.identity) {
    const Identity::Parts& identity = *options.identity->parts_;
    if (!use_identity_copy(client.get(), identity.chain, identity.key)) {
      return fail(fmt::format("OpenSSL refuses the client's certificate: {}", take_reason()));
    }
  }
  auto trust = set_verification(client.get(), options);
  if (!trust) return std::unexpected(std::move(trust.error()));
  ERR_clear_error();
  std::unique_ptr<Context> context(new Context);
  context->parts_ = std::make_unique<Parts>();
  context->parts_->client = std::move(client);
  context->parts_->trust = std::move(*trust);
  return context;
}

}  // namespace penstock::tls

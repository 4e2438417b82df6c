// Server settings. One SSL_CTX an identity: changing the context of a connection in the SNI
// callback costs a copy of pointers, where giving it another certificate would check the key again
// each time.
#include "penstock/tls/context.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "context_parts.h"
#include "context_settings.h"
#include "identity_parts.h"

namespace penstock::tls {
namespace {

constexpr std::size_t ticket_key_bytes = 80;  // name 16, HMAC 32, AES 32

/// The keys that seal session tickets, made once a process, so that a ticket is good on every
/// shard.
class TicketKeys {
 public:
  [[nodiscard]] static const TicketKeys& of_process() {
    static const TicketKeys keys;
    return keys;
  }
  [[nodiscard]] bool give_to(SSL_CTX* context) const {
    auto copy = bytes_;
    const auto given = SSL_CTX_set_tlsext_ticket_keys(context, copy.data(), copy.size());
    OPENSSL_cleanse(copy.data(), copy.size());
    return random_ && given == 1;
  }

 private:
  TicketKeys() : random_(RAND_priv_bytes(bytes_.data(), static_cast<int>(bytes_.size())) == 1) {}
  std::array<unsigned char, ticket_key_bytes> bytes_{};
  bool random_ = false;
};

/// Sessions resume only where the same certificates are served: a ticket of one site must not open
/// another on the same machine (Delignat-Lavaud and Bhargavan, "Network-based origin confusion",
/// WWW 2015).
using SessionScope = std::array<unsigned char, EVP_MAX_MD_SIZE>;

bool limit_sessions(SSL_CTX* context, const SessionScope& scope) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return SSL_CTX_set_num_tickets(context, 1) == 1 && TicketKeys::of_process().give_to(context) &&
         SSL_CTX_set_session_id_context(context, scope.data(), SSL_MAX_SID_CTX_LENGTH) == 1;
}

int choose_by_name(SSL* ssl, int* alert, void* argument) {
  const auto& names = *static_cast<const NameTable*>(argument);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_CTX* chosen = name != nullptr ? names.find(name) : nullptr;
  if (chosen == nullptr) return SSL_TLSEXT_ERR_NOACK;
  if (chosen == SSL_get_SSL_CTX(ssl) || SSL_set_SSL_CTX(ssl, chosen) == chosen) {
    return SSL_TLSEXT_ERR_OK;
  }
  *alert = SSL_AD_INTERNAL_ERROR;  // out of memory: going on would show another site's certificate
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void* argument) {
  const auto& ours = *static_cast<const std::string*>(argument);
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned int>(ours.size()), offered, offered_size);
  // RFC 7301, 3.2: without a common protocol the handshake ends with no_application_protocol.
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

void set_callbacks(SSL_CTX* context, NameTable& names, std::string& alpn) {
  // OpenSSL's macro for this has a C cast.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(choose_by_name));
  SSL_CTX_set_tlsext_servername_arg(context, &names);
  if (!alpn.empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, &alpn);
}

/// An SSL_CTX for one identity with all settings but those for sessions. Null: OpenSSL's queue says
/// why.
SslContextPtr make_server(const std::vector<X509Ptr>& chain, const KeyPtr& key,
                          Version min_version) {
  SslContextPtr server(SSL_CTX_new(TLS_server_method()));
  if (server == nullptr || !use_identity_copy(server.get(), chain, key) ||
      limit_algorithms(server.get(), {.min_version = min_version})) {
    return nullptr;
  }
  set_modes(server.get());
  SSL_CTX_set_verify(server.get(), SSL_VERIFY_NONE, nullptr);
  return server;
}

}  // namespace

Context::Context() noexcept = default;
Context::~Context() = default;

Result<std::unique_ptr<Context>> Context::create_server(const ServerOptions& options) {
  if (options.certificates.empty()) return fail("a TLS listener needs at least one certificate");
  auto alpn = encode_protocols(options.alpn);
  if (!alpn) return std::unexpected(alpn.error());
  std::unique_ptr<Context> context(new Context);
  context->parts_ = std::make_unique<Parts>();
  Parts& parts = *context->parts_;
  parts.alpn = std::move(*alpn);

  ERR_clear_error();
  const DigestPtr digest(EVP_MD_CTX_new());
  bool set = digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  for (const Identity& identity : options.certificates) {
    const auto& chain = identity.parts_->chain;
    auto server = make_server(chain, identity.parts_->key, options.min_version);
    set = set && server != nullptr && add_fingerprint(digest.get(), chain.front().get());
    if (!set) break;
    set_callbacks(server.get(), parts.names, parts.alpn);
    set = parts.names.add(*chain.front(), server.get());
    parts.servers.push_back(std::move(server));
  }
  SessionScope scope{};
  set = set && EVP_DigestFinal_ex(digest.get(), scope.data(), nullptr) == 1;
  for (const SslContextPtr& server : parts.servers)
    set = set && limit_sessions(server.get(), scope);
  if (!set) return fail(fmt::format("cannot set up TLS: {}", take_reason()));
  ERR_clear_error();
  return context;
}

}  // namespace penstock::tls

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
#include "identity_parts.h"

namespace penstock::tls {
namespace {

// AEAD with ephemeral keys only (RFC 9325, 4.2); AES-128 first, it is the faster and wide enough.
constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* tls13_ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// The hybrid with ML-KEM exists from OpenSSL 3.5 on; named explicitly, since the default list
// differs from release to release.
constexpr const char* groups_with_hybrid = "X25519MLKEM768:X25519:P-256";
constexpr const char* groups = "X25519:P-256";

constexpr std::size_t longest_protocol = 255;  // RFC 7301, 3.1: one byte of length
constexpr std::size_t ticket_key_bytes = 80;   // name 16, HMAC 32, AES 32

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

bool limit_algorithms(SSL_CTX* context, Version min_version) {
  const int version = min_version == Version::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const bool set = SSL_CTX_set_min_proto_version(context, version) == 1 &&
                   SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1 &&
                   SSL_CTX_set_ciphersuites(context, tls13_ciphers) == 1 &&
                   (SSL_CTX_set1_groups_list(context, groups_with_hybrid) == 1 ||
                    SSL_CTX_set1_groups_list(context, groups) == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  return set;
}

void set_modes(SSL_CTX* context) {
  // RELEASE_BUFFERS: an idle connection holds no record buffer. NO_AUTO_CHAIN: the chain is what
  // the identity says, it is not searched for in every handshake.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
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

Result<std::string> encode_protocols(const std::vector<std::string>& protocols) {
  std::string encoded;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > longest_protocol) {
      return fail(
          fmt::format("the ALPN protocol \"{}\" has {} bytes: a protocol's name has 1 to {}",
                      protocol, protocol.size(), longest_protocol));
    }
    encoded += static_cast<char>(protocol.size());
    encoded += protocol;
  }
  return encoded;
}

/// Copies, so that no two shards count references or take locks in the same objects. Empty: out of
/// memory.
std::vector<X509Ptr> copy_chain(const std::vector<X509Ptr>& chain) {
  std::vector<X509Ptr> copies;
  for (const X509Ptr& certificate : chain) {
    copies.emplace_back(X509_dup(certificate.get()));
    if (copies.back() == nullptr) return {};
  }
  return copies;
}

KeyPtr copy_key(const KeyPtr& key) {
  KeyPtr copy(EVP_PKEY_dup(key.get()));
  if (copy == nullptr && EVP_PKEY_up_ref(key.get()) == 1) copy.reset(key.get());
  return copy;
}

bool add_to_scope(EVP_MD_CTX* digest, X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> print{};
  unsigned int size = 0;
  return X509_digest(certificate, EVP_sha256(), print.data(), &size) == 1 &&
         EVP_DigestUpdate(digest, print.data(), size) == 1;
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
  const auto own_chain = copy_chain(chain);
  const KeyPtr own_key = copy_key(key);
  if (server == nullptr || own_chain.empty() || own_key == nullptr ||
      !use_identity(server.get(), own_chain, own_key.get()) ||
      !limit_algorithms(server.get(), min_version)) {
    return nullptr;
  }
  set_modes(server.get());
  return server;
}

}  // namespace

bool use_identity(SSL_CTX* context, const std::vector<X509Ptr>& chain, EVP_PKEY* key) {
  const auto release = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(release)> issuers(sk_X509_new_null(), release);
  if (issuers == nullptr) return false;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (sk_X509_push(issuers.get(), chain[i].get()) == 0) return false;
  }
  return SSL_CTX_use_cert_and_key(context, chain.front().get(), key, issuers.get(), 1) == 1;
}

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
    set = set && server != nullptr && add_to_scope(digest.get(), chain.front().get());
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

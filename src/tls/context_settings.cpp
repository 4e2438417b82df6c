// The settings in OpenSSL's calls. Each call that can fail is looked at: one that is passed over
// would leave a connection with more than was asked for.
#include "context_settings.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <array>

#include "identity_parts.h"

namespace penstock::tls {
namespace {

constexpr std::size_t longest_protocol = 255;  // RFC 7301, 3.1: one byte of length

// AEAD with ephemeral keys only (RFC 9325, 4.2); AES-128 first, it is the faster and wide enough.
constexpr const char* aead_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* classic_groups = "X25519:P-256:P-384";
constexpr const char* aead_suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

const char* name_of(Version version) { return version == Version::tls13 ? "TLS 1.3" : "TLS 1.2"; }
int number_of(Version version) {
  return version == Version::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/// Releases before 3.5 have neither the hybrid nor the marks.
bool set_own_groups(SSL_CTX* context, const char* groups) {
  if (SSL_CTX_set1_groups_list(context, groups) == 1) return true;
  ERR_clear_error();
  return SSL_CTX_set1_groups_list(context, classic_groups) == 1;
}

/// Empty: out of memory.
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

}  // namespace

std::optional<Refusal> limit_algorithms(SSL_CTX* context, const Terms& terms, const char* groups) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (SSL_CTX_set_min_proto_version(context, number_of(terms.min_version)) != 1) {
    return Refusal{"the lowest version", name_of(terms.min_version)};
  }
  if (SSL_CTX_set_max_proto_version(context, number_of(terms.max_version)) != 1) {
    return Refusal{"the highest version", name_of(terms.max_version)};
  }
  const char* ciphers = terms.ciphers.empty() ? aead_ciphers : terms.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(context, ciphers) != 1) {
    return Refusal{"the TLS 1.2 ciphers", ciphers};
  }
  const char* suites = terms.cipher_suites.empty() ? aead_suites : terms.cipher_suites.c_str();
  if (SSL_CTX_set_ciphersuites(context, suites) != 1) {
    return Refusal{"the TLS 1.3 cipher suites", suites};
  }
  const bool grouped = terms.groups.empty()
                           ? set_own_groups(context, groups)
                           : SSL_CTX_set1_groups_list(context, terms.groups.c_str()) == 1;
  if (!grouped) return Refusal{"the groups", terms.groups.empty() ? groups : terms.groups};
  if (!terms.signature_algorithms.empty() &&
      SSL_CTX_set1_sigalgs_list(context, terms.signature_algorithms.c_str()) != 1) {
    return Refusal{"the signature algorithms", terms.signature_algorithms};
  }
  return std::nullopt;
}

std::unexpected<Error> fail_by(const Refusal& refusal) {
  const unsigned long cause = take_cause();
  return fail(fmt::format("OpenSSL {} refuses {} \"{}\": {}",
                          OpenSSL_version(OPENSSL_VERSION_STRING), refusal.setting, refusal.value,
                          cause != 0 ? reason_text(cause) : "it does not know all of them"));
}

std::unexpected<Error> fail_to_set_up(std::string_view what) {
  return fail(fmt::format("cannot set up {}: {}", what, take_reason()));
}

void set_modes(SSL_CTX* context) {
  // RELEASE_BUFFERS: an idle connection holds no record buffer. NO_AUTO_CHAIN: the chain is what
  // the identity says, it is not searched for in every handshake.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
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

bool use_identity(SSL_CTX* context, const std::vector<X509Ptr>& chain, EVP_PKEY* key) {
  const auto release = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(release)> issuers(sk_X509_new_null(), release);
  if (issuers == nullptr) return false;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (sk_X509_push(issuers.get(), chain[i].get()) == 0) return false;
  }
  return SSL_CTX_use_cert_and_key(context, chain.front().get(), key, issuers.get(), 1) == 1;
}

bool use_identity_copy(SSL_CTX* context, const std::vector<X509Ptr>& chain, const KeyPtr& key) {
  const auto own_chain = copy_chain(chain);
  const KeyPtr own_key = copy_key(key);
  return !own_chain.empty() && own_key != nullptr &&
         use_identity(context, own_chain, own_key.get());
}

bool add_fingerprint(EVP_MD_CTX* digest, X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> print{};
  unsigned int size = 0;
  return X509_digest(certificate, EVP_sha256(), print.data(), &size) == 1 &&
         EVP_DigestUpdate(digest, print.data(), size) == 1;
}

}  // namespace penstock::tls

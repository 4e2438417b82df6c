// What the SSL_CTX of a server and that of a client have in common. Private to the tls module; used
// while a Context is made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "openssl_handles.h"
#include "penstock/base/result.h"
#include "penstock/tls/context.h"

namespace penstock::tls {

/// What connections may agree on, in OpenSSL's words.
struct Algorithms {
  // AEAD with ephemeral keys only (RFC 9325, 4.2); AES-128 first, it is the faster and wide enough.
  static constexpr const char* aead_ciphers =
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
  static constexpr const char* aead_suites =
      "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  // The hybrid with ML-KEM exists from OpenSSL 3.5 on; named explicitly, since the default list
  // differs from release to release.
  static constexpr const char* hybrid_groups = "X25519MLKEM768:X25519:P-256";
  // With a "*" a client sends that share at once: the hybrid, and the one for servers without it.
  static constexpr const char* two_share_groups = "*X25519MLKEM768:*X25519:P-256";
  static constexpr const char* classic_groups = "X25519:P-256";

  Version min_version = Version::tls12;
  std::optional<Version> max_version = std::nullopt;  ///< nullopt: the newest that OpenSSL may use
  const char* ciphers = aead_ciphers;                 ///< of TLS 1.2
  const char* cipher_suites = aead_suites;            ///< of TLS 1.3
  const char* groups = hybrid_groups;
  const char* other_groups = classic_groups;   ///< when OpenSSL refuses `groups`; null: no others
  const char* signature_algorithms = nullptr;  ///< null: OpenSSL's own choice
};

/// A setting that OpenSSL did not take; its error queue may say why.
struct Refusal {
  const char* setting;  ///< for a sentence: "the groups"
  const char* value;
};

/// Limits `context` to `algorithms`, without compression and renegotiation.
[[nodiscard]] std::optional<Refusal> limit_algorithms(SSL_CTX* context,
                                                      const Algorithms& algorithms);

/// How OpenSSL is to move bytes and keep buffers.
void set_modes(SSL_CTX* context);

/// The protocols as the ALPN extension has them: each after one byte of length. Error: a name that
/// is empty or longer than 255 bytes.
[[nodiscard]] Result<std::string> encode_protocols(const std::vector<std::string>& protocols);

/// Gives `context` copies of the chain and its key, so that no two shards count references or take
/// locks in the same objects. False: OpenSSL's queue says why.
[[nodiscard]] bool use_identity_copy(SSL_CTX* context, const std::vector<X509Ptr>& chain,
                                     const KeyPtr& key);

/// Adds the fingerprint of `certificate` to `digest`. False: OpenSSL's queue says why.
[[nodiscard]] bool add_fingerprint(EVP_MD_CTX* digest, X509* certificate);

}  // namespace penstock::tls

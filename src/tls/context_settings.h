// What the SSL_CTX of a server and that of a client have in common. Private to the tls module; used
// while a Context is made.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "openssl_handles.h"
#include "penstock/base/result.h"
#include "penstock/tls/context.h"

namespace penstock::tls {

// The hybrid with ML-KEM exists from OpenSSL 3.5 on; named explicitly, since the default list
// differs from release to release.
inline constexpr const char* server_groups = "X25519MLKEM768:X25519:P-256:P-384";
// With a "*" a client sends that share at once: the hybrid, and the one for servers without it.
inline constexpr const char* client_groups = "*X25519MLKEM768:*X25519:P-256";

/// A setting that OpenSSL did not take; its error queue may say why.
struct Refusal {
  const char* setting;  ///< for a sentence: "the groups"
  std::string value;
};

/// Limits `context` to `terms`, without compression and renegotiation. Where they name no groups,
/// to `groups` as far as OpenSSL has them.
[[nodiscard]] std::optional<Refusal> limit_algorithms(SSL_CTX* context, const Terms& terms,
                                                      const char* groups);

/// The refusal as an error. OpenSSL 3.0 refuses lists without a word.
[[nodiscard]] std::unexpected<Error> fail_by(const Refusal& refusal);

/// "cannot set up TLS: " and what OpenSSL's queue says.
[[nodiscard]] std::unexpected<Error> fail_to_set_up(std::string_view what);

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

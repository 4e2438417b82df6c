// What an Identity holds. Private to the tls module: Context copies it into an SSL_CTX,
// make_self_signed fills it.
#pragma once

#include <vector>

#include "openssl_handles.h"
#include "penstock/tls/identity.h"

namespace penstock::tls {

struct Identity::Parts {
  std::vector<X509Ptr> chain;  ///< the leaf first, then its issuers in order; never empty
  KeyPtr key;                  ///< fits the leaf
};

/// Gives the chain and its key to `context`. False: OpenSSL's queue says why, for example "ee key
/// too small".
[[nodiscard]] bool use_identity(SSL_CTX* context, const std::vector<X509Ptr>& chain, EVP_PKEY* key);

}  // namespace penstock::tls

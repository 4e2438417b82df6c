// What a Context holds. Private to the tls module: Engine takes the SSL_CTX of new connections from
// here.
#pragma once

#include <string>
#include <vector>

#include "name_table.h"
#include "penstock/tls/context.h"

namespace penstock::tls {

struct Context::Parts {
  std::vector<SslContextPtr>
      servers;  ///< one an identity, in their order; the first is the default
  NameTable names;
  std::string alpn;  ///< the protocols as the extension has them: each after one byte of length

  SslContextPtr client;  ///< null: a server's context
  /// Whom a client trusts to vouch for servers, in a form to compare; empty: it verifies nothing.
  std::string trust;
};

}  // namespace penstock::tls

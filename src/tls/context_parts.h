// What a Context holds. Private to the tls module: Engine takes the SSL_CTX of new connections from
// here.
#pragma once

#include <memory>
#include <string>

#include "penstock/tls/context.h"
#include "sites.h"

namespace penstock::tls {

struct Context::Parts {
  std::shared_ptr<Sites> server;  ///< null: a client's context

  SslContextPtr client;  ///< null: a server's context
  /// Whom a client trusts to vouch for servers, in a form to compare; empty: it verifies nothing.
  std::string trust;
};

}  // namespace penstock::tls
